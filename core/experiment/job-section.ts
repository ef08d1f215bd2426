import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { concat } from 'fp-ts/lib/NonEmptyArray.js';
import * as z from 'zod';
import { type Adapter, type Job, type JobDuration, LARGEST_PROJECTION_SEED, type LoraAdapter, type VeraAdapter } from '../job.ts';
import { fraction, positiveNumber, wholeNumber } from '../leaves.ts';
import { MODULE_NAMES, type ModuleName } from '../model/model.ts';
import { problem, show, type Problem, type Problems } from '../problem.ts';
import { chosen, closed, COMPLETE, inside, isRecord, leaf, oneOf, readStructure, type PathSegments } from '../structure.ts';
import type { Nanoseconds } from '../units.ts';
import { halvingSection, patienceSection, resolveHalving } from './early-exit-section.ts';
import { jobData } from './job-data-section.ts';
import { fillFromDefaults, isInherited } from './job-defaults.ts';
import { optimizerSection } from './optimizer-section.ts';
import { quantityFromZero, TIME } from './quantity.ts';

/** Names become folder names, so they must be harmless on every file system. */
const jobName = leaf<string>(
  'expected up to 64 letters, digits, dots, dashes and underscores, a letter or digit first and last',
  (value) => typeof value === 'string' && /^[A-Za-z0-9]([\w.-]{0,62}[A-Za-z0-9])?$/.test(value),
);

/** The paper's target modules (section 5). */
const DEFAULT_TARGETS: readonly ModuleName[] = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];

const targetModules = z
  .array(oneOf(MODULE_NAMES))
  .min(1, { error: 'expected at least one module' })
  .refine((names) => new Set(names).size === names.length, { error: 'expected every module once' })
  .default([...DEFAULT_TARGETS]);

const TYPES = ['lora', 'rslora', 'dora', 'vera'] as const satisfies readonly Adapter['type'][];

const adapterBasics = { rank: wholeNumber(1), dropout: fraction.default(0), targetModules };

/** alpha = 2 × rank is common practice; it keeps the scale of the update when the rank changes. */
const lora = closed({
  type: oneOf(TYPES).default('lora'),
  ...adapterBasics,
  alpha: positiveNumber.optional(),
}).transform(
  ({ type, alpha, ...rest }): LoraAdapter => ({
    type: type as LoraAdapter['type'],
    alpha: alpha ?? 2 * rest.rank,
    ...rest,
  }),
);

/** PEFT's defaults of VeRA. */
const vera = closed({
  type: oneOf(TYPES),
  ...adapterBasics,
  projectionSeed: wholeNumber(0, LARGEST_PROJECTION_SEED).default(0),
  initialScale: positiveNumber.default(0.1),
}).transform((adapter): VeraAdapter => ({ ...adapter, type: 'vera' }));

const adapter = chosen<Adapter>((value) => (isRecord(value) && value.type === 'vera' ? vera : lora));

const LARGEST_SEED = 2 ** 32 - 1;

/** Beyond these a file is mistaken, and would cost memory before anyone notices. */
const LARGEST_BATCH = 1_000_000;
const LARGEST_ITERATIONS = 1_000_000_000;

const durationOf = (iterations: number | undefined, epochs: number | undefined): JobDuration =>
  iterations === undefined ? { kind: 'epochs', epochs: epochs ?? 1 } : { kind: 'iterations', iterations };

const jobSchema = (maxPositions: number) =>
  closed({
    name: jobName,
    adapter,
    optimizer: optimizerSection,
    evaluate: closed({ every: wholeNumber(1) }).nullable().default(null),
    patience: patienceSection.nullable().optional(),
    halving: halvingSection.nullable().optional(),
    data: jobData(maxPositions),
    batchSize: wholeNumber(1, LARGEST_BATCH).default(8),
    iterations: wholeNumber(1, LARGEST_ITERATIONS).optional(),
    epochs: positiveNumber.optional(),
    seed: wholeNumber(0, LARGEST_SEED).default(0),
    priority: wholeNumber(-1000, 1000).default(0),
    arrival: quantityFromZero(TIME).default(0),
  }).transform(({ iterations, epochs, arrival, patience, halving, ...job }, context): Job => {
    const duration = durationOf(iterations, epochs);
    const sweep = isGiven(halving) ? resolveHalving(halving, { evaluate: job.evaluate, duration }) : null;
    for (const [path, message] of sweep?.wrong ?? []) context.addIssue({ code: 'custom', path: [...path], message, input: undefined, params: COMPLETE });
    return {
      ...job,
      ...(isGiven(patience) ? { patience } : {}),
      ...(sweep === null ? {} : { halving: sweep.halving }),
      duration,
      arrivalNs: arrival as Nanoseconds,
    };
  });

const isGiven = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;

const findBothDurations = (job: unknown, locate: (segments: PathSegments) => string): Problem[] => {
  if (!isRecord(job) || job.iterations === undefined || job.epochs === undefined) return [];
  const message = `is ${show(job.iterations)} beside epochs ${show(job.epochs)}; expected one of the two`;
  return [problem(locate(['iterations']), message)];
};

export interface JobSection {
  /** Where the job, or the grid that it comes from, stands in the file. */
  readonly place: (segments: PathSegments) => string;
  /** The `defaults` of the file. */
  readonly defaults: unknown;
  /** Positions of the model, or a large number when it is not known. */
  readonly maxPositions: number;
}

/**
 * One job of an experiment file, filled up from its `defaults`. A problem with a value that came from the defaults is
 * reported there.
 */
export const readJob = (value: unknown, { place: inJob, defaults, maxPositions }: JobSection): E.Either<Problems, Job> => {
  const inDefaults = inside('defaults');
  const locate = (segments: PathSegments): string =>
    isInherited(defaults, value, segments) ? inDefaults(segments) : inJob(segments);
  const filled = fillFromDefaults(defaults, value);
  const job = readStructure(jobSchema(maxPositions), filled, locate);
  const both = findBothDurations(filled, locate);
  if (E.isLeft(job)) return E.left(concat(both)(job.left));
  return isNonEmpty(both) ? E.left(both) : job;
};
