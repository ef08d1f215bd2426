import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as NEA from 'fp-ts/lib/NonEmptyArray.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Experiment } from '../core/experiment/experiment.ts';
import { describeExperiment, formatExperiment } from '../core/experiment/format.ts';
import { parseYaml } from '../core/experiment/yaml-text.ts';
import { problem } from '../core/problem.ts';
import { isRecord } from '../core/structure.ts';
import { asSeenFrom } from '../exec/run/open-experiment.ts';
import { badInput, type Failure } from './failure.ts';
import { writeResults } from './write-results.ts';

/**
 * Writes the experiment into the folder, unless that holds jobs of these names with other settings: they would be told as
 * finished with what they were then.
 */
export const keepSettings = (experiment: Experiment, out: string): TE.TaskEither<Failure, void> => {
  const seen = asSeenFrom(out, experiment);
  const kept = join(out, 'experiment.yaml');
  return pipe(
    TE.fromTask(() => readFile(kept, 'utf8').catch(() => 'jobs: []')),
    TE.chainEitherK((text) => changedJobs(text, seen)),
    TE.mapLeft(NEA.map((name) => problem(`job ${name}`, 'has other settings here than in the experiment; choose another folder with --out'))),
    TE.mapLeft((problems) => badInput(kept, problems)),
    TE.chain(() => writeResults(out, { 'experiment.yaml': formatExperiment(seen) })),
  );
};

/** Jobs of an earlier experiment that are others now. Left: their names. */
const changedJobs = (text: string, now: Experiment): E.Either<NEA.NonEmptyArray<string>, void> => {
  const earlier = E.toUnion(parseYaml(text));
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const jobs = plain(describeExperiment(now).jobs) as readonly Readonly<Record<string, unknown>>[];
  const before: readonly unknown[] = isRecord(earlier) && Array.isArray(earlier.jobs) ? earlier.jobs : [];
  const isOther = (job: Readonly<Record<string, unknown>>): boolean =>
    before.some((each) => isRecord(each) && each.name === job.name && !isDeepStrictEqual({ ...each, ...FREE }, { ...job, ...FREE }));
  const names = jobs.filter(isOther).map(({ name }) => String(name));
  return isNonEmpty(names) ? E.left(names) : E.right(undefined);
};

/** What may change from run to run. */
const FREE = { arrival: 0, priority: 0 };
