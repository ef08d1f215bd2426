import { countIterations, turnsOf } from '../../core/experiment/build-workload.ts';
import type { EvaluationWorkload } from '../../core/planners/evaluation.ts';
import type { Job } from '../../core/job.ts';
import type { JobRows } from '../data/job-rows.ts';
import { heldoutRows, trainingRows, type RowSource, type TrainingOrder } from '../data/row-source.ts';
import type { PartSize, Workload } from '../../core/workload.ts';
import type { RankAdapter } from '../rank/messages.ts';
import type { AdapterState } from '../stage.ts';

/** A job with its rows and the order in which training takes them. */
export interface TrainJob {
  readonly job: Job;
  readonly rows: JobRows;
  readonly order: TrainingOrder;
}

/** `microbatches`: pieces each mini-batch is split into. */
export const createTrainJob = (job: Job, rows: JobRows, microbatches: number): TrainJob => {
  const { batchSize, seed, data } = job;
  const order = data.kind === 'files' ? data.order : 'shuffled';
  const iterations = countIterations(job, rows.training.length);
  return { job, rows, order: { batchSize, microbatches, iterations, seed, order } };
};

/** Rows of the job's training microbatches; their sizes are what planning needs. */
export const trainingSource = ({ rows, order }: TrainJob): RowSource => trainingRows(rows.training, order);

/** A microbatch of evaluation has as many rows as the largest one of training, so that it fits where training does. */
const heldoutOf = ({ rows, order }: TrainJob): RankAdapter['heldout'] =>
  rows.heldout === null ? null : { table: rows.heldout, batchSize: Math.ceil(order.batchSize / order.microbatches) };

/** Sizes of a job's held-out microbatches; none without held-out rows. */
export const heldoutParts = (job: TrainJob): readonly PartSize[] => {
  const heldout = heldoutOf(job);
  if (heldout === null) return [];
  const { microbatches, part } = heldoutRows(heldout.table, heldout.batchSize);
  return Array.from({ length: microbatches }, (_, index) => part(0, index));
};

/** Held-out microbatches of all jobs that have held-out rows, for planning. */
export const evaluationWorkload = (jobs: readonly TrainJob[]): readonly EvaluationWorkload[] =>
  jobs.flatMap((job, adapter) => {
    const microbatches = heldoutParts(job);
    return microbatches.length === 0 ? [] : [{ adapter, microbatches }];
  });

/** The job as the ranks get it; `index` is its place in the plan, `start` what an earlier run has left of it. */
export const asRankAdapter = (trainJob: TrainJob, index: number, start: AdapterState | null): RankAdapter => {
  const { name, adapter, optimizer, seed } = trainJob.job;
  return {
    setup: { index, name, adapter, optimizer, iterations: trainJob.order.iterations, seed },
    training: trainJob.rows.training,
    order: trainJob.order,
    heldout: heldoutOf(trainJob),
    start,
  };
};

/** What is left to plan when each job goes on from the given iteration; one that has begun arrives at once. */
export const remainingWorkload = (jobs: readonly TrainJob[], firstIterations: readonly number[]): Workload => ({
  adapters: jobs.map((trainJob, index) => {
    const { name, arrivalNs, priority } = trainJob.job;
    const { iterations, microbatches, part } = trainingSource(trainJob);
    const firstIteration = firstIterations[index]!;
    const arrival = firstIteration > 0 ? 0 : arrivalNs;
    const turns = turnsOf(trainJob.job, () => heldoutParts(trainJob));
    return { name, iterations, firstIteration, microbatches, arrivalNs: arrival, priority, part, ...turns };
  }),
});
