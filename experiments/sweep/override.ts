import * as E from 'fp-ts/lib/Either.js';
import { isRecord, type PathSegments } from '../../core/structure.ts';

const STEP = /(?:^|\.)([\w-]+)|\[(\d+)\]/y;

/** `jobs[0].adapter.rank` as its keys and indices; null where the text is no path. */
export const parsePath = (text: string): PathSegments | null => {
  const segments: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const step = STEP.exec(text);
    if (step === null) return null;
    segments.push(step[1] ?? Number(step[2]));
  }
  return segments.length === 0 ? null : segments;
};

/** The value with another one at a path; mappings on the way are made where they are missing. Left: why it has no such place. */
export const replaceAt = (value: unknown, [first, ...rest]: PathSegments, replacement: unknown): E.Either<string, unknown> => {
  if (first === undefined) return E.right(replacement);
  if (typeof first === 'number') {
    if (!Array.isArray(value)) return E.left(`the base has no list for [${first}]`);
    const list: readonly unknown[] = value;
    if (first >= list.length) return E.left(`the base's list has ${list.length} entries, so none at [${first}]`);
    const changed = replaceAt(list[first], rest, replacement);
    return E.isLeft(changed) ? changed : E.right(list.map((entry, index) => (index === first ? changed.right : entry)));
  }
  const key = String(first);
  if (value !== undefined && !isRecord(value)) return E.left(`the base has no mapping for ${key}`);
  const changed = replaceAt(value?.[key], rest, replacement);
  return E.isLeft(changed) ? changed : E.right({ ...value, [key]: changed.right });
};

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
