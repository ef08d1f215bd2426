import type { ComputeCost, CostModel } from '../core/cost-model.ts';
import type { MicrobatchShape, PlanTables } from '../core/plan/plan.ts';

/** Cost models that differ from a given one in one respect: what a run would cost without a cause of idle time. */

export const freeTransfers = (cost: CostModel): CostModel => ({
  ...cost,
  transferBytes: () => 0,
  microbatchCollective: () => ({ bytes: 0, calls: 0 }),
  gradientCollective: () => ({ bytes: 0, calls: 0 }),
});

/** The passes of a cost model. */
type Passes = Pick<CostModel, 'forward' | 'backward' | 'backwardInput' | 'backwardWeight'>;
type Pass = Passes[keyof Passes];

const changePasses = ({ forward, backward, backwardInput, backwardWeight }: Passes, change: (pass: Pass) => Pass): Passes => ({
  forward: change(forward),
  backward: change(backward),
  backwardInput: change(backwardInput),
  backwardWeight: change(backwardWeight),
});

export const noLaunches = (cost: CostModel): CostModel => ({
  ...cost,
  ...changePasses(cost, (pass) => (stage, shape) => withoutLaunch(pass(stage, shape))),
  step: (stage, adapter) => withoutLaunch(cost.step(stage, adapter)),
});

const withoutLaunch = ({ deviceNs }: ComputeCost): ComputeCost => ({ deviceNs, launchNs: 0 });

/** Every stage takes the mean of all stages, so that a microbatch takes as long through the pipeline as before. */
export const equalStages = (cost: CostModel, stageCount: number): CostModel => {
  const overStages = (price: (stage: number) => ComputeCost): ComputeCost =>
    mean(Array.from({ length: stageCount }, (_, stage) => [price(stage), 1]));
  return {
    ...cost,
    ...changePasses(cost, (pass) => (_stage, shape) => overStages((stage) => pass(stage, shape))),
    step: (_stage, adapter) => overStages((stage) => cost.step(stage, adapter)),
  };
};

/** Every microbatch takes the mean over the plan's microbatches, so that each stage has as much work as before. */
export const equalLengths = (cost: CostModel, { shapes, microbatches }: PlanTables): CostModel => {
  const counts = shapes.map(() => 0);
  for (const shape of microbatches.shape) counts[shape]! += 1;
  const overShapes = (price: (shape: MicrobatchShape) => ComputeCost): ComputeCost =>
    mean(shapes.map((shape, number) => [price(shape), counts[number]!]));
  const bytesOf = (stage: number): number =>
    shapes.reduce((sum, shape, number) => sum + cost.transferBytes(stage, shape) * counts[number]!, 0) / microbatches.length;
  return {
    ...cost,
    ...changePasses(cost, (pass) => byStage((stage) => overShapes((shape) => pass(stage, shape)))),
    transferBytes: byStage(bytesOf),
  };
};

/** Computed once for each stage. */
const byStage = <T>(price: (stage: number) => T): ((stage: number) => T) => {
  const known = new Map<number, T>();
  return (stage) => {
    const cost = known.get(stage) ?? price(stage);
    known.set(stage, cost);
    return cost;
  };
};

const mean = (costs: readonly (readonly [ComputeCost, number])[]): ComputeCost => {
  const weight = costs.reduce((sum, [, count]) => sum + count, 0);
  const over = (read: (cost: ComputeCost) => number): number => costs.reduce((sum, [cost, count]) => sum + read(cost) * count, 0) / weight;
  return {
    deviceNs: over(({ deviceNs }) => deviceNs),
    launchNs: over(({ launchNs }) => launchNs),
    firstLaunchNs: over(({ firstLaunchNs = 0 }) => firstLaunchNs),
  };
};
