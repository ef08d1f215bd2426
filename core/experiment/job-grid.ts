/**
 * A job with a `grid` stands for one job, a trial, for every choice of values at some paths inside it. Trials are named after
 * the job, numbered in the order of the grid, the last path fastest.
 */
import * as E from 'fp-ts/lib/Either.js';
import { problem, show, type Problem } from '../problem.ts';
import { shuffled } from '../shuffled.ts';
import { inside, isRecord, type PathSegments } from '../structure.ts';
import { parsePath, replaceAt } from './value-path.ts';

/** What a grid has in one trial's place. */
export interface Choice {
  readonly path: string;
  readonly value: unknown;
  /** Index of the value in its list. */
  readonly position: number;
}

/** A job as it is written, or as a grid makes it of one. */
export interface WrittenJob {
  readonly value: unknown;
  /** Of the job in the file. */
  readonly index: number;
  /** Empty where it has no grid. */
  readonly choices: readonly Choice[];
}

/** Trials that a grid stands for, in its order. */
export interface JobGrid {
  readonly job: string;
  readonly paths: readonly string[];
  readonly trials: readonly { readonly name: string; readonly values: readonly unknown[] }[];
}

export interface ExpandedJobs {
  readonly jobs: readonly WrittenJob[];
  readonly grids: readonly JobGrid[];
  readonly problems: readonly Problem[];
}

type Written = Readonly<Record<string, unknown>>;
type Axis = readonly [path: string, values: readonly unknown[]];

const MOST_TRIALS = 1000;
/** Keys that are the grid's own business. */
const OWN_KEYS: readonly unknown[] = ['name', 'grid', 'halving'];

const placeOfAxis = (index: number, path: string, position?: number): string => inside('jobs', index, 'grid', path)(position === undefined ? [] : [position]);

const checkAxis = (index: number, path: string, values: unknown): Problem[] => {
  const segments = parsePath(path);
  if (segments === null || OWN_KEYS.includes(segments[0])) {
    return [problem(placeOfAxis(index, path), 'is no path of a setting; expected keys of the job like optimizer.learningRate')];
  }
  if (!Array.isArray(values) || values.length === 0) return [problem(placeOfAxis(index, path), `is ${show(values)}; expected a list of values`)];
  const texts = values.map((value) => JSON.stringify(value));
  return texts.flatMap((text, at) => (texts.indexOf(text) < at ? [problem(placeOfAxis(index, path, at), `is ${text}, as an earlier one`)] : []));
};

const choicesOf = (axes: readonly Axis[]): Choice[][] =>
  axes.reduce<Choice[][]>((choices, [path, values]) => choices.flatMap((chosen) => values.map((value, position) => [...chosen, { path, value, position }])), [[]]);

/** The template with its name and the values of one trial. */
const trialOf = (template: Written, index: number, choices: readonly Choice[]): E.Either<Problem, unknown> => {
  let value: E.Either<Problem, unknown> = E.right(template);
  for (const choice of choices) {
    if (E.isLeft(value)) return value;
    const changed = replaceAt(value.right, parsePath(choice.path)!, choice.value);
    value = E.isLeft(changed) ? E.left(problem(placeOfAxis(index, choice.path, choice.position), changed.left)) : changed;
  }
  return value;
};

/** What each trial says of its sweep; nothing where the grid is trained as a whole. */
const halvingOf = (job: Written, defaults: unknown, trials: number): Written => {
  const halving = job.halving === undefined && isRecord(defaults) ? defaults.halving : job.halving;
  return isRecord(halving) ? { halving: { name: job.name, ...halving, trials } } : {};
};

const nameOf = (job: string, number: number, count: number): string => `${job}-${String(number).padStart(String(count).length, '0')}`;

const seedOf = (job: Written, defaults: unknown): number => {
  const seed = job.seed ?? (isRecord(defaults) ? defaults.seed : undefined);
  return Number.isSafeInteger(seed) ? (seed as number) : 0;
};

const NO_JOBS: ExpandedJobs = { jobs: [], grids: [], problems: [] };

const expandOne = (written: Written, index: number, defaults: unknown): ExpandedJobs => {
  const { grid, ...job } = written;
  const refuse = (problems: readonly Problem[]): ExpandedJobs => ({ ...NO_JOBS, problems });
  const place = `jobs[${index}].grid`;
  if (!isRecord(grid) || Object.keys(grid).length === 0) return refuse([problem(place, `is ${show(grid)}; expected a mapping of paths inside the job to lists of values`)]);
  const wrong = Object.entries(grid).flatMap(([path, values]) => checkAxis(index, path, values));
  if (wrong.length > 0) return refuse(wrong);
  const axes = Object.entries(grid) as readonly unknown[] as readonly Axis[];
  const count = axes.reduce((product, [, values]) => product * values.length, 1);
  if (count > MOST_TRIALS) return refuse([problem(place, `has ${count} trials; expected at most ${MOST_TRIALS}`)]);
  const halving = halvingOf(job, defaults, count);
  const name = String(job.name);
  const trials = choicesOf(axes).map((choices, at) => ({
    choices,
    name: nameOf(name, at + 1, count),
    value: trialOf({ ...job, ...halving, name: job.name === undefined ? undefined : nameOf(name, at + 1, count) }, index, choices),
  }));
  const problems = trials.flatMap(({ value }) => (E.isLeft(value) ? [value.left] : []));
  if (problems.length > 0) return refuse(problems);
  const jobs = trials.map(({ value, choices }): WrittenJob => ({ value: E.toUnion(value), index, choices }));
  return {
    // Halving favours whoever comes late in a grid along which losses fall.
    jobs: 'halving' in halving ? shuffled(jobs, seedOf(job, defaults)) : jobs,
    grids: [{ job: name, paths: axes.map(([path]) => path), trials: trials.map((trial) => ({ name: trial.name, values: trial.choices.map(({ value }) => value) })) }],
    problems: [],
  };
};

/** The jobs of a file with trials in the place of grids; a job whose grid is no good is left out, with its problems. */
export const expandGrids = (written: readonly unknown[], defaults: unknown): ExpandedJobs => {
  const parts = written.map((value, index) =>
    isRecord(value) && value.grid !== undefined ? expandOne(value, index, defaults) : { ...NO_JOBS, jobs: [{ value, index, choices: [] }] },
  );
  return { jobs: parts.flatMap(({ jobs }) => jobs), grids: parts.flatMap(({ grids }) => grids), problems: parts.flatMap(({ problems }) => problems) };
};

/** Where a setting of a job stands in the file: at the grid's value where that has set it. */
export const placeIn =
  ({ index, choices }: Pick<WrittenJob, 'index' | 'choices'>): ((segments: PathSegments) => string) =>
  (segments) => {
    const inJob = inside('jobs', index)(segments);
    const choice = choices.find(({ path }) => startsWith(segments, parsePath(path)!));
    return choice === undefined ? inJob : placeOfAxis(index, choice.path, choice.position);
  };

const startsWith = (segments: PathSegments, start: PathSegments): boolean => start.every((segment, at) => segments[at] === segment);
