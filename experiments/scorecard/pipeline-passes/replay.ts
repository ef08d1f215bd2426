import type { CostModel } from '../../../core/cost-model.ts';
import { NS_PER_MS } from '../../../core/units.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { simulateOneForwardOneBackward } from '../simulate-barrier.ts';
import type { PipelinePasses } from './rows.ts';
import { stagePassMs, stepMs } from './stage-passes.ts';

/** Milliseconds on each stage. */
interface StageTimes {
  readonly forwardMs: readonly number[];
  readonly backwardMs: readonly number[];
  readonly stepMs: number;
}

/** Milliseconds of one iteration with the published pass times on every stage, up to the optimizer step. */
export const replayMs = (passes: PipelinePasses): number => {
  const onEach = (ms: number): number[] => Array.from({ length: passes.stages }, () => ms);
  return iterationMs(passes, {
    forwardMs: onEach(passes.forwardMs),
    backwardMs: onEach(passes.backwardInputMs + passes.backwardWeightMs),
    stepMs: 0,
  });
};

/** Milliseconds of one iteration whose stages differ as the model's do, with the optimizer step. */
export const unequalStagesMs = (passes: PipelinePasses): number => {
  const backwardInput = stagePassMs(passes, passes.backwardInputMs);
  const backwardWeight = stagePassMs(passes, passes.backwardWeightMs);
  return iterationMs(passes, {
    forwardMs: stagePassMs(passes, passes.forwardMs),
    backwardMs: backwardInput.map((ms, stage) => ms + backwardWeight[stage]!),
    stepMs: stepMs(passes),
  });
};

const iterationMs = ({ stages, microbatches, transferMs }: PipelinePasses, times: StageTimes): number => {
  const cluster = constantCluster(stages);
  const compute = (ms: number) => ({ deviceNs: ms * NS_PER_MS, launchNs: 0 });
  const cost: CostModel = {
    ...constantCost({ forwardNs: 0, backwardNs: 0, transferNs: transferMs * NS_PER_MS }),
    forward: (stage) => compute(times.forwardMs[stage]!),
    backward: (stage) => compute(times.backwardMs[stage]!),
    step: () => compute(times.stepMs),
  };
  const placement = cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 }));
  const part = { rows: 1, tokens: 1, squaredTokens: 1 };
  return simulateOneForwardOneBackward({ stages: placement, microbatches, part, cost, cluster }) / NS_PER_MS;
};

/** Share of an iteration that a stage is idle, as the source defines it. */
export const bubbleOf = (passes: PipelinePasses): number => {
  const computeMs = passes.microbatches * (passes.forwardMs + passes.backwardInputMs + passes.backwardWeightMs);
  return 1 - computeMs / replayMs(passes);
};

/** Samples per second and GPU of iterations that take `iterationMs`. */
export const throughputOf = ({ microbatches, microbatchRows, stages }: PipelinePasses, iterationMs: number): number =>
  (1e3 * microbatches * microbatchRows) / iterationMs / stages;
