import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { concat } from 'fp-ts/lib/NonEmptyArray.js';
import * as z from 'zod';
import { wholeNumber } from '../leaves.ts';
import { problem, type Problem, type Problems } from '../problem.ts';
import { closed, inside, isRecord, leaf, oneOf, readStructure } from '../structure.ts';
import { RECOMPUTE, SCHEDULE_NAMES, type Schedule } from './experiment.ts';

const ORDERS = ['1f1b', 'gpipe'] as const satisfies readonly Schedule['order'][];
const RELEASES = ['staggered', 'greedy'] as const satisfies readonly Schedule['release'][];

const autoOr = (minimum: number): z.ZodType<'auto' | number> =>
  leaf(
    `expected auto or a whole number of at least ${minimum}`,
    (value) => value === 'auto' || (Number.isSafeInteger(value) && Number(value) >= minimum),
  );

const scheduleSchema = closed({
  type: oneOf(SCHEDULE_NAMES).default('lorapp'),
  microbatches: wholeNumber(1).optional(),
  order: oneOf(ORDERS).default('1f1b'),
  release: oneOf(RELEASES).default('staggered'),
  groups: autoOr(1).default('auto'),
  extraInFlight: autoOr(0).default('auto'),
  recompute: oneOf(RECOMPUTE).default('none'),
});

/** Options of `Schedule` that mean nothing to the other schedules. */
export const LORAPP_OPTIONS = [
  'order',
  'release',
  'groups',
  'extraInFlight',
] as const satisfies readonly (keyof Schedule)[];

const findForeignOptions = (written: Readonly<Record<string, unknown>>): Problem[] => {
  const type = written.type;
  if (type !== 'gpipe' && type !== '1f1b') return [];
  return LORAPP_OPTIONS.filter((option) => Object.hasOwn(written, option)).map((option) =>
    problem(`schedule.${option}`, `is an option of lorapp; ${type} does not have it`),
  );
};

/**
 * The schedule of an experiment file: its name, or its name and options. `defaultMicrobatches` applies where the file
 * says nothing.
 */
export const readSchedule = (value: unknown, defaultMicrobatches: number): E.Either<Problems, Schedule> => {
  const written = typeof value === 'string' ? { type: value } : (value ?? {});
  const schedule = readStructure(scheduleSchema, written, inside('schedule'));
  const foreign = isRecord(written) ? findForeignOptions(written) : [];
  if (E.isLeft(schedule)) return E.left(concat(foreign)(schedule.left));
  if (isNonEmpty(foreign)) return E.left(foreign);
  return E.right({ ...schedule.right, microbatches: schedule.right.microbatches ?? defaultMicrobatches });
};
