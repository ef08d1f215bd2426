import { activationTotalBytes, type ComputeCost, type CostModel } from './cost-model.ts';
import type { MicrobatchShape } from './plan/plan.ts';

/** Predicted times and sizes of one microbatch shape on every stage, as plain numbers. */
export interface ShapeCost {
  readonly forwardNs: readonly number[];
  readonly backwardNs: readonly number[];
  /** Rounding included. */
  readonly activationBytes: readonly number[];
  /** Alive only while an op runs: the larger one of forward and backward. */
  readonly transientBytes: readonly number[];
  /** By the stage before the boundary. */
  readonly transferBytes: readonly number[];
  /** Forward plus backward over all stages, alone in the pipeline. */
  readonly pathNs: number;
}

/** An op ends when both the device and the host that launches its kernels are done. */
export const opNs = ({ deviceNs, launchNs }: ComputeCost): number => Math.max(deviceNs, launchNs);

/** Costs of a shape, computed once: a function of the shape's number. */
export const memoizeShapeCosts = (
  cost: CostModel,
  stageCount: number,
  shapeAt: (shape: number) => MicrobatchShape,
): ((shape: number) => ShapeCost) => {
  const known: ShapeCost[] = [];
  const stages = Array.from({ length: stageCount }, (_, stage) => stage);
  return (number) => {
    const cached = known[number];
    if (cached !== undefined) return cached;
    const shape = shapeAt(number);
    const forwardNs = stages.map((stage) => opNs(cost.forward(stage, shape)));
    const backwardNs = stages.map((stage) => opNs(cost.backward(stage, shape)));
    const bothNs = stages.map((stage) => forwardNs[stage]! + backwardNs[stage]!);
    return (known[number] = {
      forwardNs,
      backwardNs,
      activationBytes: stages.map((stage) => activationTotalBytes(cost, stage, shape)),
      transientBytes: stages.map((stage) => {
        const { forward, backward } = cost.transientBytes(stage, shape);
        return Math.max(forward, backward);
      }),
      transferBytes: stages.map((stage) => cost.transferBytes(stage, shape)),
      pathNs: bothNs.reduce((sum, ns) => sum + ns, 0),
    });
  };
};
