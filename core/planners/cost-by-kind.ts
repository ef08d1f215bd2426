import type { CostModel } from '../cost-model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';

/** The costs of a plan whose adapters are jobs of some kinds, which `cost` knows by number. */
export const costByKind = (cost: CostModel, kindOf: (adapter: number) => number): CostModel => {
  const shapes = new WeakMap<MicrobatchShape, MicrobatchShape>();
  const known = new Map<string, MicrobatchShape>();
  const inKinds = (shape: MicrobatchShape): MicrobatchShape => {
    const found = shapes.get(shape);
    if (found !== undefined) return found;
    const parts = shape.parts.map((part) => ({ ...part, adapter: kindOf(part.adapter) }));
    const key = JSON.stringify(parts);
    const same = known.get(key) ?? { parts };
    known.set(key, same);
    shapes.set(shape, same);
    return same;
  };
  return {
    ...cost,
    forward: (stage, shape) => cost.forward(stage, inKinds(shape)),
    backward: (stage, shape) => cost.backward(stage, inKinds(shape)),
    backwardInput: (stage, shape) => cost.backwardInput(stage, inKinds(shape)),
    backwardWeight: (stage, shape) => cost.backwardWeight(stage, inKinds(shape)),
    step: (stage, adapter) => cost.step(stage, kindOf(adapter)),
    microbatchCollective: (kind, stage, shape) => cost.microbatchCollective(kind, stage, inKinds(shape)),
    gradientCollective: (kind, stage, adapter) => cost.gradientCollective(kind, stage, kindOf(adapter)),
    transferBytes: (stage, shape) => cost.transferBytes(stage, inKinds(shape)),
    activationBytes: (stage, shape) => cost.activationBytes(stage, inKinds(shape)),
    transientBytes: (stage, shape) => cost.transientBytes(stage, inKinds(shape)),
    adapterBytes: (stage, adapter) => cost.adapterBytes(stage, kindOf(adapter)),
    ...(cost.rounding === undefined
      ? {}
      : {
          rounding: {
            activationBytes: (stage, shape) => cost.rounding!.activationBytes(stage, inKinds(shape)),
            adapterBytes: (stage, adapter) => cost.rounding!.adapterBytes(stage, kindOf(adapter)),
          },
        }),
  };
};
