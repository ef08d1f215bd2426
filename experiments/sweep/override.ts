import * as E from 'fp-ts/lib/Either.js';
import { isRecord } from '../../core/structure.ts';

/** The path that repeats jobs instead of replacing a value. */
export const JOB_COUNT = 'jobs.count';

/** As many jobs as told: those of the base in turn, repetitions numbered. Left: why not. */
export const repeatJobs = (base: unknown, count: unknown): E.Either<string, unknown> => {
  if (!Number.isSafeInteger(count) || (count as number) < 1) return E.left('expected a whole number of at least 1');
  const jobs: readonly unknown[] = isRecord(base) && Array.isArray(base.jobs) ? base.jobs : [];
  if (jobs.length === 0) return E.left('the base has no jobs to repeat');
  const repeated = Array.from({ length: count as number }, (_, index) => {
    const job = jobs[index % jobs.length];
    const round = Math.floor(index / jobs.length);
    return round === 0 || !isRecord(job) ? job : { ...job, name: `${String(job.name)}-${round + 1}` };
  });
  return E.right({ ...(base as object), jobs: repeated });
};
