/**
 * Times of Megatron-LM's passes on A100s. A pass takes as long as its device or the host that launches its kernels,
 * whichever is longer. The host does not run ahead of a pass: Megatron waits for its transfers between stages there.
 */
import { GPU_PRESETS } from '../../../core/cluster/gpus.ts';
import type { ComputeCost, CostModel } from '../../../core/cost-model.ts';
import { NS_PER_MS, NS_PER_S } from '../../../core/units.ts';
import { constantCost } from '../../../sim/constant-cost.ts';
import { ADAM_STEP_BYTES } from '../adam-step.ts';
import { allReduceNs, type AllReduceTable } from './all-reduce.ts';
import { BACKWARD, FORWARD, headWork, layerWork, parametersOf, type GptShape, type GptWork, type Pass } from './gpt-work.ts';
import type { GptRun } from './rows.ts';

/** What is fitted; the same for all runs. */
export interface GptConstants {
  /** Share of the data sheet's rate in matrix products. */
  readonly productShare: number;
  /** Share of the data sheet's memory bandwidth in memory-bound kernels and in the optimizer. */
  readonly memoryShare: number;
  /** Device time of a layer's kernels that does not grow with their work, forward and backward. */
  readonly layerOverheadMs: number;
  /** Host time to launch a layer, forward and backward. */
  readonly layerLaunchMs: number;
  /** More of it where Megatron's fused softmax does not apply. */
  readonly softmaxLaunchMs: number;
  /** Host time of a microbatch outside its layers: half of it on the first stage, half on the last. */
  readonly microbatchLaunchMs: number;
  /** Host time of an iteration outside its microbatches. */
  readonly iterationMs: number;
}

/** What the data does not say. */
export interface GptAssumptions {
  /** Whether a backward runs its forward again first. */
  readonly recompute: boolean;
  /** Bytes of a gradient as data-parallel devices sum it. */
  readonly gradientBytes: 2 | 4;
}

const ROW_TOKENS = 1024;
const HEADS = 16;
const FP16_BYTES = 2;
const GPU = GPU_PRESETS.get('A100-80')!;
/** Launches and small kernels of a forward are about half as many as those of a backward. */
const FORWARD_SHARE = 1 / 3;

export const shapeOf = ({ hidden, microBatch, tensorParallel }: GptRun): GptShape => ({
  hidden,
  heads: HEADS,
  rows: microBatch,
  length: ROW_TOKENS,
  tensorParallel,
});

/** Megatron's `FusedScaleMaskSoftmax` takes numbers of score matrices that are multiples of four. */
const hasFusedSoftmax = ({ microBatch, tensorParallel }: GptRun): boolean => ((microBatch * HEADS) / tensorParallel) % 4 === 0;

const workNs = ({ productFlops, memoryBytes }: GptWork, { productShare, memoryShare }: GptConstants): number =>
  NS_PER_S * (productFlops / (GPU.flopsPerSecond.fp16 * productShare) + memoryBytes / (GPU.memoryBytesPerSecond * memoryShare));

/** Costs of a run's passes and steps on one of the tensor-parallel devices of each stage; memory is not looked at. */
export const gptCost = (run: GptRun, constants: GptConstants, allReduces: AllReduceTable, assumptions: GptAssumptions): CostModel => {
  const shape = shapeOf(run);
  const layers = run.layers / run.pipelineParallel;
  const last = run.pipelineParallel - 1;
  const hiddenBytes = FP16_BYTES * shape.rows * shape.length * shape.hidden;
  const layerLaunchMs = constants.layerLaunchMs + (hasFusedSoftmax(run) ? 0 : constants.softmaxLaunchMs);

  const passNs = (stage: number, pass: Pass, share: number): number => {
    const layerNs = workNs(layerWork(shape, pass), constants) + 2 * allReduceNs(allReduces, run.tensorParallel, hiddenBytes);
    const headNs = stage === last ? workNs(headWork(shape, pass), constants) : 0;
    const ends = (stage === 0 ? 1 / 2 : 0) + (stage === last ? 1 / 2 : 0);
    const launchNs = NS_PER_MS * share * (layers * layerLaunchMs + ends * constants.microbatchLaunchMs);
    return Math.max(layers * (layerNs + NS_PER_MS * share * constants.layerOverheadMs) + headNs, launchNs);
  };
  const forward = (stage: number): ComputeCost => onDevice(passNs(stage, FORWARD, FORWARD_SHARE));
  const backward = (stage: number): ComputeCost =>
    onDevice(passNs(stage, BACKWARD, 1 - FORWARD_SHARE) + (assumptions.recompute ? passNs(stage, FORWARD, FORWARD_SHARE) : 0));

  const step = (stage: number): ComputeCost => {
    const embedding = parametersOf(shape, { layers: 0, embedding: true });
    const parameters = parametersOf(shape, { layers, embedding: stage === 0 || stage === last });
    return onDevice(
      allReduceNs(allReduces, run.dataParallel, assumptions.gradientBytes * parameters) +
        // The first and the last stage share the embedding and sum its gradients.
        (last > 0 ? allReduceNs(allReduces, 2, assumptions.gradientBytes * embedding) : 0) +
        workNs({ productFlops: 0, memoryBytes: ADAM_STEP_BYTES * parameters }, constants) +
        NS_PER_MS * constants.iterationMs,
    );
  };
  return { ...constantCost({ forwardNs: 0, backwardNs: 0 }), forward, backward, step, transferBytes: () => hiddenBytes };
};

const onDevice = (deviceNs: number): ComputeCost => ({ deviceNs, launchNs: 0 });
