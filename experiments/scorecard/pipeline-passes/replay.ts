import { NS_PER_MS } from '../../../core/units.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { simulateOneForwardOneBackward } from '../simulate-barrier.ts';
import type { PipelinePasses } from './rows.ts';

/** Compute time of one microbatch on one stage. */
const microbatchMs = ({ forwardMs, backwardInputMs, backwardWeightMs }: PipelinePasses): number =>
  forwardMs + backwardInputMs + backwardWeightMs;

/** Milliseconds of one iteration with the profiled pass times, in the engine, up to the optimizer step. */
export const replayMs = (passes: PipelinePasses): number => {
  const { stages, microbatches, forwardMs, backwardInputMs, backwardWeightMs, transferMs } = passes;
  const cost = constantCost({
    forwardNs: forwardMs * NS_PER_MS,
    backwardNs: (backwardInputMs + backwardWeightMs) * NS_PER_MS,
    transferNs: transferMs * NS_PER_MS,
  });
  const cluster = constantCluster(stages);
  const placement = cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 }));
  const part = { rows: 1, tokens: 1, squaredTokens: 1 };
  return simulateOneForwardOneBackward({ stages: placement, microbatches, part, cost, cluster }) / NS_PER_MS;
};

/** Share of an iteration that a stage is idle, as the source defines it. */
export const bubbleOf = (passes: PipelinePasses): number => {
  const iterationMs = replayMs(passes);
  return (iterationMs - passes.microbatches * microbatchMs(passes)) / iterationMs;
};

/** Samples per second and GPU of iterations that take `iterationMs`. */
export const throughputOf = ({ microbatches, microbatchRows, stages }: PipelinePasses, iterationMs: number): number =>
  (microbatches * microbatchRows) / (iterationMs / 1e3) / stages;
