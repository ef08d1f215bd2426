import * as E from 'fp-ts/lib/Either.js';
import type { Model } from '../../core/model/model.ts';
import { problem, show, type Problem, type Problems } from '../../core/problem.ts';
import { findWrongRungs } from '../../core/scheduler/halving.ts';
import { readJobRows } from '../data/job-rows.ts';
import { listCheckpoints, readCheckpoint } from '../run/job-checkpoint.ts';
import { fingerprintJobs } from '../run/job-fingerprint.ts';
import { NO_PROGRESS, type JobProgress } from '../run/job-records.ts';
import { createTrainJob, heldoutParts, type TrainJob } from '../run/train-job.ts';
import { isJobId, jobFolder, readOutcome, type JobFolder, type SavedOutcome } from './job-folder.ts';
import type { LiveJob, LiveRefusal, LiveRunOptions } from './live-run.ts';

/** A submitted job with its rows and what an earlier run has left of it. */
export interface OpenJob {
  readonly live: LiveJob;
  readonly trainJob: TrainJob;
  readonly fingerprint: string;
  readonly folder: JobFolder;
  readonly progress: JobProgress;
}

type BadInput = Extract<LiveRefusal, { readonly kind: 'badInput' }>;
type Place = Pick<LiveRunOptions, 'model' | 'modelFolder' | 'folder' | 'microbatches' | 'readRows'>;

const badInput = (file: string, problems: Problems): E.Either<BadInput, never> => E.left({ kind: 'badInput', files: [{ file, problems }] });

const nonEmpty = (problems: readonly Problem[]): Problems | null => (problems.length === 0 ? null : (problems as unknown as Problems));

/** What can be said before any file is read. */
export const checkLiveJob = ({ id, job }: LiveJob): Problems | null =>
  nonEmpty([
    ...(isJobId(id) ? [] : [problem('id', `is ${show(id)}; expected up to 100 letters, digits, ".", "_" and "-", not beginning with a dot`)]),
    ...(job.data.kind === 'files' ? [] : [problem('job.data', 'is synthetic; training needs rows in files')]),
  ]);

/** Early exit looks at held-out losses, which have to be there, and at the iterations it asks for. */
const checkEarlyExit = ({ patience, sweep, job: { evaluate } }: LiveJob, trainJob: TrainJob): Problems | null => {
  const asks = patience !== undefined ? 'patience' : sweep !== undefined ? 'sweep' : null;
  if (asks === null) return null;
  if (evaluate === null || heldoutParts(trainJob).length === 0) return [problem(asks, 'needs held-out rows and job.evaluate')];
  const { iterations } = trainJob.order;
  const wrong = findWrongRungs(sweep?.rungs ?? [], evaluate.every, iterations);
  return nonEmpty(wrong.map(({ index, message }) => problem(`sweep.rungs[${index}]`, message)));
};

const latestProgress = async ({ checkpoints }: JobFolder, fingerprint: string): Promise<E.Either<BadInput, JobProgress>> => {
  const [latest] = await listCheckpoints(checkpoints);
  if (latest === undefined) return E.right(NO_PROGRESS);
  return E.mapLeft((problems: Problems): BadInput => ({ kind: 'badInput', files: [{ file: `${checkpoints}/iteration-${latest}`, problems }] }))(
    await readCheckpoint(checkpoints, latest, fingerprint),
  );
};

const fingerprintOf = async (trainJob: TrainJob, model: Model, modelFolder: string): Promise<E.Either<BadInput, string>> => {
  const fingerprints = await fingerprintJobs([trainJob], model, modelFolder);
  return E.isLeft(fingerprints) ? badInput(modelFolder, fingerprints.left) : E.right(fingerprints.right[0]!);
};

/** Pieces of a job's mini-batches: a function of job and run alone, so that its roundings do not depend on its neighbours. */
const piecesOf = ({ job: { batchSize } }: LiveJob, microbatches: number): number => Math.min(batchSize, microbatches);

/** Reads a job's rows and its latest checkpoint. Left: everything wrong with it. */
export const openJob = async (live: LiveJob, { model, modelFolder, folder, microbatches, readRows = readJobRows }: Place): Promise<E.Either<BadInput, OpenJob>> => {
  const rows = await readRows({ jobs: [live.job], model, modelFolder, dataFolder: '/' });
  if (E.isLeft(rows)) return E.left({ kind: 'badInput', files: rows.left });
  const trainJob = createTrainJob(live.job, rows.right[0]!, piecesOf(live, microbatches));
  const problems = checkEarlyExit(live, trainJob);
  if (problems !== null) return badInput(`job ${live.id}`, problems);
  const fingerprint = await fingerprintOf(trainJob, model, modelFolder);
  if (E.isLeft(fingerprint)) return fingerprint;
  const place = jobFolder(folder, live.id);
  return E.map((progress: JobProgress): OpenJob => ({ live, trainJob, fingerprint: fingerprint.right, folder: place, progress }))(
    await latestProgress(place, fingerprint.right),
  );
};

/** How a job of this id has ended before; null: it has not. */
export const earlierOutcome = async (folder: string, id: string): Promise<E.Either<BadInput, SavedOutcome | null>> => {
  const place = jobFolder(folder, id);
  return E.mapLeft((problems: Problems): BadInput => ({ kind: 'badInput', files: [{ file: place.outcome, problems }] }))(await readOutcome(place));
};
