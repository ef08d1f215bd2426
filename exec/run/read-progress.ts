import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as A from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { problem } from '../../core/problem.ts';
import type { ExecError, FileProblems } from '../exec-error.ts';
import { listCheckpoints, readCheckpoint } from './job-checkpoint.ts';
import { NO_PROGRESS, type JobProgress } from './job-records.ts';
import { checkpointsFolder } from './output.ts';
import type { TrainJob } from './train-job.ts';

type Attempt<T> = E.Either<FileProblems, T>;

const readJob = async (jobFolder: string, fingerprint: string): Promise<Attempt<JobProgress>> => {
  const [latest] = await listCheckpoints(jobFolder);
  if (latest === undefined) return E.right(NO_PROGRESS);
  const file = join(jobFolder, `iteration-${latest}`);
  return E.mapLeft((problems: FileProblems['problems']): FileProblems => ({ file, problems }))(
    await readCheckpoint(jobFolder, latest, fingerprint),
  );
};

const findStrangers = async (folder: string, known: ReadonlySet<string>): Promise<FileProblems[]> => {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => !known.has(name))
    .map((name) => ({ file: join(folder, name), problems: [problem('', 'belongs to no job of this experiment')] }));
};

/**
 * How far a run has brought each job, from its latest checkpoints; jobs without any are fresh. Nothing is changed. Folders
 * of jobs that are `leftOut` stay unread.
 * Left: every checkpoint that is broken or belongs to something else.
 */
export const readJobProgress = async (
  jobs: readonly TrainJob[],
  outputFolder: string,
  fingerprints: readonly string[],
  leftOut: readonly string[] = [],
): Promise<E.Either<ExecError, readonly JobProgress[]>> => {
  const folder = checkpointsFolder(outputFolder);
  const known = new Set([...jobs.map(({ job }) => job.name), ...leftOut]);
  const read = await Promise.all(jobs.map(({ job }, i) => readJob(join(folder, job.name), fingerprints[i]!)));
  const wrong = [...(await findStrangers(folder, known)), ...A.lefts(read)];
  return wrong.length > 0 ? E.left({ kind: 'badInput', files: wrong }) : E.right(A.rights(read));
};
