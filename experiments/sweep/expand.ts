import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { describeExperiment } from '../../core/experiment/format.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { resolveExperiment } from '../../core/experiment/read.ts';
import { formatProblems, problem, type Problem, type Problems } from '../../core/problem.ts';
import { parsePath, replaceAt } from '../../core/experiment/value-path.ts';
import { contextOf } from '../../exec/run/open-experiment.ts';
import { JOB_COUNT, repeatJobs } from './override.ts';
import { scheduleAsMapping, withoutForeignOptions } from './schedule-options.ts';
import { axisPlace } from './read-sweep.ts';
import type { Axis, Sweep, SweepPoint } from './sweep.ts';

export interface ExpandOptions {
  /** Names the code that simulates: its results are not taken for those of other code. */
  readonly code: string;
  /** More points than this are refused. */
  readonly mostPoints?: number;
}

const MOST_POINTS = 100_000;

/** All points of a sweep, last axis fastest, each checked as an experiment. Left: problems by their place in the sweep's file. */
export const expandSweep = (sweep: Sweep, { code, mostPoints = MOST_POINTS }: ExpandOptions): E.Either<Problems, readonly SweepPoint[]> => {
  const count = sweep.axes.reduce((product, { values }) => product * values.length, 1);
  if (count > mostPoints) return E.left([problem('grid', `has ${count} points; expected at most ${mostPoints}`)]);
  const found = new Map<string, Problem>();
  /** The same problem at several points is told once. */
  const note = (...problems: readonly Problem[]): void =>
    problems.forEach((each) => found.set(formatProblems('', [each]), each));
  const hashFile = memoize((path) => createHash('sha256').update(readFileSync(path)).digest('hex'));
  const points = choicesOf(sweep.axes).flatMap((choice): SweepPoint[] => {
    const content = applyChoice(sweep, choice);
    if (E.isLeft(content)) return note(content.left), [];
    const experiment = resolveExperiment(content.right, contextOf(sweep.folder));
    if (E.isLeft(experiment)) return note(...experiment.left.map((each) => placeProblem(sweep.axes, choice, each))), [];
    const files = filesOf(experiment.right).map(([key, path]) => [key, E.tryCatch(() => hashFile(resolve(sweep.folder, path)), messageOf)] as const);
    note(...files.flatMap(([key, hash]) => (E.isLeft(hash) ? [problem(`base: ${key}`, `cannot be read: ${hash.left}`)] : [])));
    return [{ choice, content: content.right, id: identity([code, describeExperiment(experiment.right), experiment.right.model, files]) }];
  });
  const problems = [...found.values()];
  return isNonEmpty(problems) ? E.left(problems) : E.right(points);
};

const memoize = (compute: (path: string) => string): ((path: string) => string) => {
  const known = new Map<string, string>();
  return (path) => {
    const value = known.get(path) ?? compute(path);
    known.set(path, value);
    return value;
  };
};

const identity = (parts: readonly unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);

/** Rows of the jobs, whose contents a result depends on. */
const filesOf = ({ jobs }: Experiment): (readonly [key: string, path: string])[] =>
  jobs.flatMap(({ data }, index) => (data.kind === 'files' ? [[`jobs[${index}].data.train`, data.train] as const] : []));

const choicesOf = (axes: readonly Axis[]): number[][] =>
  axes.reduce<number[][]>((choices, { values }) => choices.flatMap((choice) => values.map((_, index) => [...choice, index])), [[]]);

/** Jobs are repeated first, so that `jobs[3]` can be one of them. */
const applyChoice = ({ axes, base }: Sweep, choice: readonly number[]): E.Either<Problem, unknown> => {
  const order = [...axes.keys()].sort((a, b) => Number(axes[b]!.path === JOB_COUNT) - Number(axes[a]!.path === JOB_COUNT));
  let content: E.Either<Problem, unknown> = E.right(scheduleAsMapping(base));
  for (const axis of order) {
    if (E.isLeft(content)) return content;
    const { path, values } = axes[axis]!;
    const value = values[choice[axis]!];
    const changed = path === JOB_COUNT ? repeatJobs(content.right, value) : replaceAt(content.right, parsePath(path)!, value);
    content = E.isLeft(changed) ? E.left(problem(axisPlace(path, choice[axis]), changed.left)) : changed;
  }
  const setsType = axes.some(({ path }) => path === 'schedule' || path === 'schedule.type');
  return setsType ? E.map(withoutForeignOptions)(content) : content;
};

/** A problem of one point's experiment: at the value of an axis where its path leads there, else in the base. */
const placeProblem = (axes: readonly Axis[], choice: readonly number[], { path, message }: Problem): Problem => {
  const axis = axes.findIndex((each) => isAtOrUnder(path, each.path) || isAtOrUnder(each.path, path));
  if (axis >= 0 && path !== '') return problem(axisPlace(axes[axis]!.path, choice[axis]), `${path} ${message}`);
  return problem(path === '' ? 'base' : `base: ${path}`, message);
};

const isAtOrUnder = (path: string, above: string): boolean => path === above || (path.startsWith(above) && /[.[]/.test(path.charAt(above.length)));
