import type { CostModel } from '../../core/cost-model.ts';
import type { Job } from '../../core/job.ts';
import type { MicrobatchShape } from '../../core/plan/plan.ts';
import type { LiveCosts } from './live-run.ts';

/** Jobs whose adapters and optimizers cost the same are of one kind; `cost` knows a kind as an adapter of its number. */
export interface JobKinds {
  readonly kindOf: (job: Job) => number;
  /** What jobs of a kind have in common, as one word. */
  readonly nameOf: (kind: number) => string;
  readonly cost: () => CostModel;
}

/** What times and bytes of an adapter depend on. */
const likeness = ({ adapter, optimizer }: Job): string =>
  JSON.stringify([adapter.type, adapter.rank, adapter.dropout > 0, [...adapter.targetModules].sort(), optimizer.type, optimizer.type === 'sgd' && optimizer.momentum !== 0]);

export const createJobKinds = ({ costOf }: LiveCosts): JobKinds => {
  const jobs: Job[] = [];
  const kinds = new Map<string, number>();
  let cost = costOf(jobs);
  return {
    kindOf: (job) => {
      const name = likeness(job);
      const known = kinds.get(name);
      if (known !== undefined) return known;
      const kind = jobs.push(job) - 1;
      kinds.set(name, kind);
      cost = costOf(jobs);
      return kind;
    },
    nameOf: (kind) => [...kinds.keys()][kind]!,
    cost: () => cost,
  };
};

/** Shapes that are remembered for being met again. */
const MOST_SHAPES = 4096;

/**
 * Costs of a plan whose adapters are stays of jobs of some kinds. What a planner asks again and again is computed once for
 * each shape.
 */
export const costOfStays = (kinds: JobKinds, kindOf: (stay: number) => number): CostModel => {
  const inKinds = shapesInKinds(kindOf);
  const perShape = <T>(compute: (stage: number, shape: MicrobatchShape) => T): ((stage: number, shape: MicrobatchShape) => T) => {
    const known = new WeakMap<MicrobatchShape, T[]>();
    return (stage, shape) => {
      const own = inKinds(shape);
      const costs = known.get(own) ?? [];
      known.set(own, costs);
      return (costs[stage] ??= compute(stage, own));
    };
  };
  const cost = kinds.cost();
  return {
    ...cost,
    forward: perShape((stage, shape) => kinds.cost().forward(stage, shape)),
    backward: perShape((stage, shape) => kinds.cost().backward(stage, shape)),
    transferBytes: perShape((stage, shape) => kinds.cost().transferBytes(stage, shape)),
    activationBytes: perShape((stage, shape) => kinds.cost().activationBytes(stage, shape)),
    transientBytes: perShape((stage, shape) => kinds.cost().transientBytes(stage, shape)),
    step: (stage, stay) => kinds.cost().step(stage, kindOf(stay)),
    adapterBytes: (stage, stay) => kinds.cost().adapterBytes(stage, kindOf(stay)),
    ...(cost.rounding === undefined
      ? {}
      : {
          rounding: {
            activationBytes: perShape((stage, shape) => kinds.cost().rounding!.activationBytes(stage, shape)),
            adapterBytes: (stage, stay) => kinds.cost().rounding!.adapterBytes(stage, kindOf(stay)),
          },
        }),
  };
};

/** Shapes that differ in the stays they are of and not in kinds and sizes are one. */
const shapesInKinds = (kindOf: (stay: number) => number): ((shape: MicrobatchShape) => MicrobatchShape) => {
  const found = new WeakMap<MicrobatchShape, MicrobatchShape>();
  const known = new Map<string, MicrobatchShape>();
  return (shape) => {
    const before = found.get(shape);
    if (before !== undefined) return before;
    const parts = shape.parts.map(({ adapter, rows, tokens, squaredTokens, targets }) => ({
      adapter: kindOf(adapter), rows, tokens, squaredTokens, ...(targets === undefined ? {} : { targets }),
    }));
    const key = parts.map((part) => Object.values(part).join()).join(';');
    const same = known.get(key) ?? { parts };
    if (known.size > MOST_SHAPES) known.clear();
    known.set(key, same);
    found.set(shape, same);
    return same;
  };
};
