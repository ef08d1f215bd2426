import type { MicrobatchShape } from '../../core/plan/plan.ts';
import { jobBytes, roundTime, type PipelineTimes } from '../../core/planners/round-time.ts';
import type { JobSpec } from '../../core/scheduler/job.ts';
import type { JobSize } from '../../core/scheduler/memory-law.ts';
import type { AdapterWorkload, PartSize } from '../../core/workload.ts';
import { heldoutParts, trainingSource, type TrainJob } from '../run/train-job.ts';
import type { LiveJob } from './live-run.ts';

/** Iterations whose rows are looked at for the largest mini-batch: the first ones, as the order of a late epoch takes long to draw. */
const MOST_SAMPLES = 1000;

/** A job as the planner sees it; its held-out rows are evaluated behind its last iteration in any case. */
export const workloadOfJob = (id: string, trainJob: TrainJob, firstIteration: number): AdapterWorkload => {
  const { iterations, microbatches, part } = trainingSource(trainJob);
  const { priority, evaluate, optimizer } = trainJob.job;
  const parts = heldoutParts(trainJob);
  const evaluation = { every: evaluate?.every ?? Infinity, last: iterations, parts };
  const clips = optimizer.maxGradientNorm !== null;
  return { name: id, iterations, firstIteration, microbatches, arrivalNs: 0, priority, part, clips, ...(parts.length === 0 ? {} : { evaluation }) };
};

/** All rows of an iteration together. */
export const minibatchOf = ({ microbatches, part }: AdapterWorkload, iteration: number): PartSize => {
  const parts = Array.from({ length: microbatches }, (_, index) => part(iteration, index));
  const sum = (pick: (size: PartSize) => number): number => parts.reduce((total, size) => total + pick(size), 0);
  return { rows: sum(({ rows }) => rows), tokens: sum(({ tokens }) => tokens), squaredTokens: sum(({ squaredTokens }) => squaredTokens), targets: sum(({ targets = 0 }) => targets) };
};

/** Rows of equal length that have as many tokens, and as many squared, as these. */
export const jobSizeOf = ({ tokens, squaredTokens }: PartSize): JobSize => ({ rows: tokens ** 2 / squaredTokens, length: squaredTokens / tokens });

const largestMinibatch = (workload: AdapterWorkload): PartSize => {
  let largest = minibatchOf(workload, 0);
  for (let iteration = 1; iteration < Math.min(MOST_SAMPLES, workload.iterations); iteration++) {
    const minibatch = minibatchOf(workload, iteration);
    if (minibatch.tokens > largest.tokens) largest = minibatch;
  }
  return largest;
};

/** A job as the scheduler sees it; `kind` is its adapter in the pipeline's costs. */
export const jobSpecOf = ({ id, user, job, patience, sweep }: LiveJob, workload: AdapterWorkload, times: PipelineTimes, kind: { readonly number: number; readonly name: string }): JobSpec => {
  const largest = largestMinibatch(workload);
  const shape: MicrobatchShape = { parts: [{ adapter: kind.number, ...largest }] };
  return {
    id,
    user,
    priority: job.priority,
    iterations: workload.iterations,
    iterationNs: roundTime(times, [shape], [kind.number]).workNs,
    memoryKind: kind.name,
    size: jobSizeOf(largest),
    ledgerBytes: jobBytes(times, kind.number, shape),
    ...(patience === undefined ? {} : { patience }),
    ...(sweep === undefined ? {} : { sweep }),
  };
};
