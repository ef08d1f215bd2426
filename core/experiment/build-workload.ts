import type { Job } from '../job.ts';
import {
  firstRowOfMicrobatch,
  rowsOfMicrobatch,
  type AdapterWorkload,
  type PartSize,
  type Workload,
} from '../workload.ts';
import type { Experiment } from './experiment.ts';
import { cutOf, type MinibatchCut } from './schedule.ts';
import { drawLengths } from './synthetic.ts';

/** What the caller knows of jobs whose rows are in files, once it has read them. */
export interface FileSizes {
  readonly rowCount: (job: Job) => number;
  /** Sizes of the microbatches of a job whose mini-batches are cut like this. */
  readonly part: (job: Job, cut: MinibatchCut) => AdapterWorkload['part'];
  /** Sizes of the microbatches of held-out rows. */
  readonly heldout: (job: Job) => readonly PartSize[];
}

/**
 * Optimizer steps of a job over `rowCount` rows. Its rows form one stream, epoch after epoch, from which every
 * mini-batch takes the next `batchSize`; the last one is filled up from the epoch that would follow, so all are full.
 */
export const countIterations = ({ duration, batchSize }: Pick<Job, 'duration' | 'batchSize'>, rowCount: number): number => {
  if (duration.kind === 'iterations') return duration.iterations;
  // Whole rows first: 10 × 1.1 is a little more than 11 in binary, which is no reason for another mini-batch.
  const rows = Math.max(1, Math.round(rowCount * duration.epochs));
  return Math.ceil(rows / batchSize);
};

/** Σ size over the first n of the lengths, repeated without end, from their running sums. */
const repeatedSum = (lengths: Uint32Array, size: (length: number) => number): ((count: number) => number) => {
  const sums = new Float64Array(lengths.length + 1);
  lengths.forEach((length, index) => (sums[index + 1] = sums[index]! + size(length)));
  return (count) => Math.floor(count / lengths.length) * sums[lengths.length]! + sums[count % lengths.length]!;
};

/** Sizes of microbatches that take the rows of these lengths in order, again and again. */
const syntheticPart = (lengths: Uint32Array, { batchSize, microbatches }: MinibatchCut): AdapterWorkload['part'] => {
  const tokens = repeatedSum(lengths, (length) => length);
  const squaredTokens = repeatedSum(lengths, (length) => length * length);
  return (iteration, index) => {
    const first = iteration * batchSize + firstRowOfMicrobatch(batchSize, microbatches, index);
    const rows = rowsOfMicrobatch(batchSize, microbatches, index);
    return {
      rows,
      tokens: tokens(first + rows) - tokens(first),
      squaredTokens: squaredTokens(first + rows) - squaredTokens(first),
    };
  };
};

const rowsOf = (
  job: Job,
  cut: MinibatchCut,
  files: FileSizes,
): { readonly count: number; readonly part: AdapterWorkload['part'] } => {
  if (job.data.kind === 'files') return { count: files.rowCount(job), part: files.part(job, cut) };
  const lengths = drawLengths(job.data.lengths, job.data.rows, job.seed);
  return { count: job.data.rows, part: syntheticPart(lengths, cut) };
};

/** What a job's settings ask of its plan beside training: norms to clip by, held-out rows to evaluate. */
export const turnsOf = (
  { optimizer, evaluate }: Pick<Job, 'optimizer' | 'evaluate'>,
  heldoutParts: () => readonly PartSize[],
): Pick<AdapterWorkload, 'clips' | 'evaluation'> => ({
  clips: optimizer.maxGradientNorm !== null,
  ...(evaluate === null ? {} : { evaluation: { every: evaluate.every, parts: heldoutParts() } }),
});

/** What the planner has to know of an experiment's jobs, in their order. */
export const workloadOf = (
  { jobs, schedule, cluster }: Pick<Experiment, 'jobs' | 'schedule' | 'cluster'>,
  files: FileSizes,
): Workload => ({
  adapters: jobs.map((job): AdapterWorkload => {
    const cut = cutOf(schedule, cluster.devices.length, job.batchSize);
    const { count, part } = rowsOf(job, cut, files);
    return {
      name: job.name,
      iterations: countIterations({ ...job, batchSize: cut.batchSize }, count),
      microbatches: cut.microbatches,
      arrivalNs: job.arrivalNs,
      priority: job.priority,
      part,
      ...turnsOf(job, () => files.heldout(job)),
    };
  }),
});
