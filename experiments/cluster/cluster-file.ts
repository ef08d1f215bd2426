/** The file of `mlora schedule`: a cluster, the kinds of jobs that come to it, when they come, and who decides. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as z from 'zod';
import { messageOf } from '../../core/error-message.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { positiveQuantity, TIME } from '../../core/experiment/quantity.ts';
import { resolveExperiment } from '../../core/experiment/read.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import { nonEmptyText, nonNegativeNumber, positiveNumber, wholeNumber } from '../../core/leaves.ts';
import { mapPaths, problem, show, type Problem, type Problems } from '../../core/problem.ts';
import { POLICY_NAMES, type PolicyName } from '../../core/scheduler/policy.ts';
import { chosen, closed, isRecord, leaf, oneOf, readStructure } from '../../core/structure.ts';
import { NS_PER_S } from '../../core/units.ts';
import type { FileProblems } from '../../exec/exec-error.ts';
import { contextOf } from '../../exec/run/open-experiment.ts';

/** One job of a replayed trace; what is null is the kind's own. */
export interface TraceRow {
  readonly timeNs: number;
  readonly kind: string;
  readonly iterations: number | null;
  readonly priority: number | null;
  readonly user: string;
}

export type Arrivals =
  | {
      readonly type: 'poisson';
      readonly jobs: number;
      /** Mean time between two arrivals. */
      readonly every: number;
      readonly seed: number;
      readonly users: number;
      /** Of the logarithm of iterations; each kind's own are the mean. */
      readonly sigma: number;
      /** How often each kind comes; kinds that are not named: 1. */
      readonly shares: Readonly<Record<string, number>>;
    }
  | { readonly type: 'replay'; readonly rows: readonly TraceRow[] };

export interface ClusterFile {
  readonly name: string;
  /** Its cluster is one pipeline; its jobs are the kinds that come. */
  readonly experiment: Experiment;
  readonly pipelines: number;
  /** Most jobs on one pipeline. */
  readonly slots: number;
  /** Bound on the time of an iteration beside what it takes alone; null: none. */
  readonly maximumSlowdown: number | null;
  readonly policies: readonly PolicyName[];
  readonly quantum: number;
  readonly level: number;
  readonly arrivals: Arrivals;
}

const poisson = closed({
  type: oneOf(['poisson', 'replay'] as const),
  jobs: wholeNumber(1, 1_000_000),
  every: positiveQuantity(TIME),
  seed: wholeNumber(0).default(0),
  users: wholeNumber(1).default(1),
  sigma: nonNegativeNumber.default(0),
  shares: leaf<Readonly<Record<string, number>>>(
    'expected a mapping of jobs to numbers above 0',
    (value) => isRecord(value) && Object.values(value).every((share) => typeof share === 'number' && share > 0),
  ).default({}),
});
const replay = closed({ type: oneOf(['poisson', 'replay'] as const), file: nonEmptyText });

type WrittenArrivals = z.output<typeof poisson> | z.output<typeof replay>;

const fileSchema = closed({
  name: nonEmptyText,
  base: leaf<unknown>('expected the path of an experiment file, or an experiment', (value) => typeof value === 'string' || isRecord(value)),
  pipelines: wholeNumber(1, 10_000).default(1),
  slots: wholeNumber(1, 64).default(8),
  maximumSlowdown: positiveNumber.nullable().default(null),
  policies: z.array(oneOf(POLICY_NAMES)).min(1, { error: 'expected at least one policy' }).default([...POLICY_NAMES]),
  quantum: positiveQuantity(TIME).default(600 * NS_PER_S),
  level: positiveQuantity(TIME).default(3600 * NS_PER_S),
  arrivals: chosen<WrittenArrivals>((value) => (isRecord(value) && value.type === 'replay' ? replay : poisson)),
});

type BadFiles = readonly FileProblems[];

/** A cluster file from its text. Left: everything that is wrong with it and with the files it names. */
export const readClusterFile = (path: string, text: string): E.Either<BadFiles, ClusterFile> => {
  const bad = (problems: Problems): BadFiles => [{ file: path, problems }];
  return pipe(
    parseYaml(text),
    E.mapLeft(bad),
    E.chain((value) => {
      const file = readStructure(fileSchema, value);
      const experiment = readBase(path, isRecord(value) ? value.base : undefined);
      if (E.isLeft(file)) return E.left([...bad(file.left), ...(E.isLeft(experiment) ? experiment.left : [])]);
      if (E.isLeft(experiment)) return experiment;
      const { base: _, arrivals: written, ...rest } = file.right;
      return pipe(
        readArrivals(path, written, experiment.right),
        E.map((arrivals): ClusterFile => ({ ...rest, experiment: experiment.right, arrivals })),
      );
    }),
  );
};

const readBase = (path: string, base: unknown): E.Either<BadFiles, Experiment> => {
  const folder = dirname(resolve(path));
  if (typeof base !== 'string') {
    if (!isRecord(base)) return E.left([]);
    return pipe(
      resolveExperiment(base, contextOf(folder)),
      E.chain(isSuitable),
      E.mapLeft((problems): BadFiles => [{ file: path, problems: mapPaths((inner) => (inner === '' ? 'base' : `base.${inner}`))(problems) }]),
    );
  }
  const file = resolve(folder, base);
  return pipe(
    readText(file),
    E.chain(parseYaml),
    E.chain((content) => resolveExperiment(content, contextOf(dirname(file)))),
    E.chain(isSuitable),
    E.mapLeft((problems): BadFiles => [{ file, problems }]),
  );
};

const readText = (file: string): E.Either<Problems, string> =>
  E.tryCatch(
    () => readFileSync(file, 'utf8'),
    (error): Problems => [problem('', `cannot be read: ${messageOf(error)}`)],
  );

const isSuitable = (experiment: Experiment): E.Either<Problems, Experiment> => {
  const problems = [
    ...(experiment.schedule.type === 'lorapp' ? [] : [problem('schedule.type', `is ${experiment.schedule.type}; jobs come and go under lorapp only`)]),
    ...experiment.jobs.flatMap(({ data }, index) => (data.kind === 'synthetic' ? [] : [problem(`jobs[${index}].data`, 'is files; expected lengths')])),
  ];
  return isNonEmpty(problems) ? E.left(problems) : E.right(experiment);
};

const readArrivals = (path: string, written: WrittenArrivals, { jobs }: Experiment): E.Either<BadFiles, Arrivals> => {
  const names = jobs.map(({ name }) => name);
  if ('jobs' in written) {
    const unknown = Object.keys(written.shares).filter((name) => !names.includes(name));
    const problems = unknown.map((name) => problem(`arrivals.shares.${name}`, `is no job of the base; there are ${names.join(', ')}`));
    return isNonEmpty(problems) ? E.left([{ file: path, problems }]) : E.right({ ...written, type: 'poisson' });
  }
  const file = resolve(dirname(path), written.file);
  return pipe(
    readText(file),
    E.chain((text) => readTrace(text, names)),
    E.bimap(
      (problems): BadFiles => [{ file, problems }],
      (rows): Arrivals => ({ type: 'replay', rows }),
    ),
  );
};

const COLUMNS = ['seconds', 'job', 'iterations', 'priority', 'user'] as const;

/** CSV with a header: seconds, job, and where they differ from the kind's iterations, priority; user. */
export const readTrace = (text: string, kinds: readonly string[]): E.Either<Problems, readonly TraceRow[]> => {
  const table = E.tryCatch(
    (): readonly Record<string, string | undefined>[] => parse(text, { columns: true, skip_empty_lines: true, trim: true, relax_column_count: true }),
    (error): Problems => [problem('', `is no CSV: ${messageOf(error)}`)],
  );
  if (E.isLeft(table)) return table;
  const unknown = Object.keys(table.right[0] ?? {}).filter((name) => !(COLUMNS as readonly string[]).includes(name));
  const problems: Problem[] = unknown.map((name) => problem('', `column ${show(name)} is unknown; expected some of ${COLUMNS.join(', ')}`));
  const rows = table.right.map((row, index): TraceRow => {
    const number = (column: (typeof COLUMNS)[number], isWhole: boolean): number | null => {
      const value = row[column] ?? '';
      if (value === '') return null;
      const parsed = Number(value);
      if (!Number.isFinite(parsed) || (isWhole && !Number.isInteger(parsed))) problems.push(problem(`row ${index + 1}: ${column}`, `is ${show(value)}; expected a ${isWhole ? 'whole ' : ''}number`));
      return parsed;
    };
    const [seconds, iterations] = [number('seconds', false), number('iterations', true)];
    if (seconds === null || seconds < 0) problems.push(problem(`row ${index + 1}: seconds`, 'expected a number of at least 0'));
    if (iterations !== null && iterations < 1) problems.push(problem(`row ${index + 1}: iterations`, `is ${iterations}; expected at least 1`));
    const kind = row.job ?? '';
    if (!kinds.includes(kind)) problems.push(problem(`row ${index + 1}: job`, `is ${show(kind)}, no job of the base; there are ${kinds.join(', ')}`));
    return { timeNs: (seconds ?? 0) * NS_PER_S, kind, iterations, priority: number('priority', true), user: row.user === undefined || row.user === '' ? 'all' : row.user };
  });
  if (rows.length === 0) problems.push(problem('', 'has no jobs'));
  return isNonEmpty(problems) ? E.left(problems) : E.right(rows);
};
