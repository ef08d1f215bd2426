import type { MicrobatchShape } from '../../core/plan/plan.ts';
import { jobBytes, roundTime, transientBytes, type PipelineTimes } from '../../core/planners/round-time.ts';
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

const allPieces = ({ microbatches }: AdapterWorkload): readonly number[] => Array.from({ length: microbatches }, (_, index) => index);

/** The rows of some pieces of an iteration together; absent: of all. */
export const minibatchOf = (workload: AdapterWorkload, iteration: number, pieces = allPieces(workload)): PartSize =>
  addSizes(pieces.map((index) => workload.part(iteration, index)), 1);

const addSizes = (parts: readonly PartSize[], share: number): PartSize => {
  const sum = (pick: (size: PartSize) => number): number => share * parts.reduce((total, size) => total + pick(size), 0);
  return { rows: sum(({ rows }) => rows), tokens: sum(({ tokens }) => tokens), squaredTokens: sum(({ squaredTokens }) => squaredTokens), targets: sum(({ targets = 0 }) => targets), blockSquares: sum(({ squaredTokens, blockSquares = squaredTokens }) => blockSquares) };
};

/** Of several stages of a device. */
export const meanSize = (sizes: readonly PartSize[]): PartSize => addSizes(sizes, 1 / Math.max(1, sizes.length));

/** Rows of equal length that have as many tokens, and as many squared in attention blocks, as these. */
export const jobSizeOf = ({ tokens, squaredTokens, blockSquares = squaredTokens, targets = tokens }: PartSize): JobSize => ({
  rows: tokens === 0 ? 0 : tokens ** 2 / blockSquares,
  length: tokens === 0 ? 0 : blockSquares / tokens,
  targets,
});

/** What lives while a pass over the largest piece of a mini-batch runs, by device; predicted, as nobody sees it between ops. */
export const passBytesOf = (times: PipelineTimes, kind: number, workload: AdapterWorkload, iteration: number): readonly number[] => {
  const parts = allPieces(workload).map((index) => workload.part(iteration, index));
  const largest = parts.reduce((most, each) => (each.tokens > most.tokens ? each : most));
  return transientBytes(times, { parts: [{ adapter: kind, ...largest }] });
};

/** Its iteration, and all its rows. */
const largestMinibatch = (workload: AdapterWorkload): { readonly iteration: number; readonly minibatch: PartSize } => {
  let largest = { iteration: 0, minibatch: minibatchOf(workload, 0) };
  for (let iteration = 1; iteration < Math.min(MOST_SAMPLES, workload.iterations); iteration++) {
    const minibatch = minibatchOf(workload, iteration);
    if (minibatch.tokens > largest.minibatch.tokens) largest = { iteration, minibatch };
  }
  return largest;
};

/** A job as the scheduler sees it; `kind` is its adapter in the pipeline's costs. */
export const jobSpecOf = ({ id, user, job, patience, sweep }: LiveJob, workload: AdapterWorkload, times: PipelineTimes, kind: { readonly number: number; readonly name: string }): JobSpec => {
  const { iteration, minibatch } = largestMinibatch(workload);
  const shape: MicrobatchShape = { parts: [{ adapter: kind.number, ...minibatch }] };
  return {
    id,
    user,
    priority: job.priority,
    iterations: workload.iterations,
    iterationNs: roundTime(times, [shape], [kind.number]).workNs,
    memoryKind: kind.name,
    size: jobSizeOf(minibatch),
    ledgerBytes: jobBytes(times, kind.number, shape),
    passBytes: passBytesOf(times, kind.number, workload, iteration),
    ...(patience === undefined ? {} : { patience }),
    ...(sweep === undefined ? {} : { sweep }),
  };
};
