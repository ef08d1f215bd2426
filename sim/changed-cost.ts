import type { ComputeCost, CostModel } from '../core/cost-model.ts';
import type { MicrobatchShape, PlanTables } from '../core/plan/plan.ts';

/** Cost models that differ from a given one in one respect: what a run would cost without a cause of idle time. */

export const freeTransfers = (cost: CostModel): CostModel => ({ ...cost, transferBytes: () => 0 });

export const noLaunches = (cost: CostModel): CostModel => ({
  ...cost,
  forward: (stage, shape) => withoutLaunch(cost.forward(stage, shape)),
  backward: (stage, shape) => withoutLaunch(cost.backward(stage, shape)),
  step: (stage, adapter) => withoutLaunch(cost.step(stage, adapter)),
});

const withoutLaunch = ({ deviceNs }: ComputeCost): ComputeCost => ({ deviceNs, launchNs: 0 });

/** Every stage takes the mean of all stages, so that a microbatch takes as long through the pipeline as before. */
export const equalStages = (cost: CostModel, stageCount: number): CostModel => {
  const stages = Array.from({ length: stageCount }, (_, stage) => stage);
  const overStages = (price: (stage: number) => ComputeCost): ComputeCost => mean(stages.map((stage) => [price(stage), 1]));
  return {
    ...cost,
    forward: (_stage, shape) => overStages((stage) => cost.forward(stage, shape)),
    backward: (_stage, shape) => overStages((stage) => cost.backward(stage, shape)),
    step: (_stage, adapter) => overStages((stage) => cost.step(stage, adapter)),
  };
};

/** Every microbatch takes the mean over the plan's microbatches, so that each stage has as much work as before. */
export const equalLengths = (cost: CostModel, { shapes, microbatches }: PlanTables): CostModel => {
  const counts = shapes.map(() => 0);
  for (const shape of microbatches.shape) counts[shape]! += 1;
  const overShapes = (price: (shape: MicrobatchShape) => ComputeCost): ComputeCost =>
    mean(shapes.map((shape, number) => [price(shape), counts[number]!]));
  const bytes = shapes.reduce((sum, shape, number) => sum + cost.transferBytes(shape) * counts[number]!, 0) / microbatches.length;
  const [forward, backward] = [byStage((stage) => overShapes((shape) => cost.forward(stage, shape))), byStage((stage) => overShapes((shape) => cost.backward(stage, shape)))];
  return { ...cost, forward, backward, transferBytes: () => bytes };
};

/** Computed once for each stage. */
const byStage = (price: (stage: number) => ComputeCost): ((stage: number) => ComputeCost) => {
  const known = new Map<number, ComputeCost>();
  return (stage) => {
    const cached = known.get(stage) ?? price(stage);
    known.set(stage, cached);
    return cached;
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
