import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { concat } from 'fp-ts/lib/NonEmptyArray.js';
import * as z from 'zod';
import { wholeNumber } from '../leaves.ts';
import { formatProblems, problem, type Problem, type Problems } from '../problem.ts';
import { closed, inside, isRecord, leaf, oneOf, readStructure } from '../structure.ts';
import { LOSS_PLACES, PREFETCH, RANK_BATCHES, RECOMPUTE, SCHEDULE_NAMES, type Schedule, type ScheduleName, type ScheduleOf } from './schedule.ts';

const autoOr = (minimum: number): z.ZodType<'auto' | number> =>
  leaf(
    `expected auto or a whole number of at least ${minimum}`,
    (value) => value === 'auto' || (Number.isSafeInteger(value) && Number(value) >= minimum),
  );

/** Options that some schedules have, with their defaults. */
const OPTIONS = {
  pipeline: { loss: oneOf(LOSS_PLACES).default('tail') },
  interleaved: { chunks: wholeNumber(2).default(2) },
  lorapp: {
    order: oneOf(['1f1b', 'gpipe'] as const).default('1f1b'),
    release: oneOf(['staggered', 'greedy'] as const).default('staggered'),
    groups: autoOr(1).default('auto'),
    extraInFlight: autoOr(0).default('auto'),
  },
  ranks: { groups: autoOr(1).default('auto') },
  rows: { batch: oneOf(RANK_BATCHES).default('global') },
  fsdp: {
    unit: oneOf(['layer', 'module'] as const).default('layer'),
    prefetch: oneOf(PREFETCH).default('both'),
    reshard: z.boolean().default(true),
    gatherFp32: z.boolean().default(false),
  },
  tensorParallel: { collectives: oneOf(['standard', 'released'] as const).default('standard') },
  instances: { count: autoOr(1).default('auto'), devices: autoOr(1).default('auto') },
};

/** Which options each schedule has. */
const OPTIONS_OF = {
  gpipe: OPTIONS.pipeline,
  '1f1b': OPTIONS.pipeline,
  interleaved: OPTIONS.interleaved,
  'zb-h1': {},
  'zb-v': {},
  lorapp: { ...OPTIONS.lorapp, ...OPTIONS.pipeline },
  single: OPTIONS.ranks,
  'data-parallel': { ...OPTIONS.ranks, ...OPTIONS.rows },
  fsdp: { ...OPTIONS.ranks, ...OPTIONS.rows, ...OPTIONS.fsdp },
  'tensor-parallel': { ...OPTIONS.ranks, ...OPTIONS.tensorParallel },
  instances: OPTIONS.instances,
} as const satisfies Record<ScheduleName, z.core.$ZodShape>;

/** What `setting: released` changes of a schedule's defaults: what the code released with the mLoRA paper does. */
export const RELEASED: Partial<Record<ScheduleName, Readonly<Record<string, unknown>>>> = {
  gpipe: { loss: 'head' },
  '1f1b': { loss: 'head' },
  lorapp: { loss: 'head', release: 'greedy' },
  // With limit_all_gathers the host waits for the unit before the last. In backward the small units of an adapter's matrices
  // are always between two layers, so that a layer is gathered only when the one above it is done.
  fsdp: { unit: 'module', batch: 'perRank', prefetch: 'forward' },
  'tensor-parallel': { collectives: 'released' },
};

const SETTINGS = ['fair', 'released'] as const;

const schemaOf = (type: ScheduleName) =>
  closed({
    type: oneOf(SCHEDULE_NAMES),
    microbatches: wholeNumber(1).optional(),
    recompute: oneOf(RECOMPUTE).default('none'),
    ...(type in RELEASED ? { setting: oneOf(SETTINGS).default('fair') } : {}),
    ...OPTIONS_OF[type],
  });

const NAME_SCHEMA = oneOf(SCHEDULE_NAMES);

const ownersOf = (option: string): ScheduleName[] =>
  SCHEDULE_NAMES.filter((name) => (option === 'setting' ? name in RELEASED : Object.hasOwn(OPTIONS_OF[name], option)));

/** Whether an option belongs to other schedules only. */
export const isForeign = (type: ScheduleName, option: string): boolean => {
  const owners = ownersOf(option);
  return owners.length > 0 && !owners.includes(type);
};

const foreignProblem = (type: ScheduleName, option: string): Problem =>
  problem(`schedule.${option}`, `is an option of ${ownersOf(option).join(', ')}; ${type} does not have it`);

type Written = Readonly<Record<string, unknown>>;

const omit = (written: Written, keys: readonly string[]): Written =>
  Object.fromEntries(Object.entries(written).filter(([key]) => !keys.includes(key)));

const withSetting = (type: ScheduleName, written: Written): Written =>
  written.setting === 'released' ? { ...RELEASED[type], ...written } : written;

/** Pieces of a mini-batch where a file says nothing: enough to fill a pipeline; ranks have no pipeline to fill. */
const defaultMicrobatches = (type: ScheduleName, forPipelines: number): number =>
  'groups' in OPTIONS_OF[type] && type !== 'lorapp' ? 1 : forPipelines;

/**
 * The schedule of an experiment file: its name, or its name and options. `pipelineMicrobatches` applies to pipelines
 * where the file says nothing.
 */
export const readSchedule = (value: unknown, pipelineMicrobatches: number): E.Either<Problems, Schedule> => {
  const named: unknown = typeof value === 'string' ? { type: value } : (value ?? {});
  const written = isRecord(named) ? { type: 'lorapp', ...named } : named;
  const name = NAME_SCHEMA.safeParse(isRecord(written) ? written.type : 'lorapp');
  const type = name.success ? name.data : 'lorapp';
  const foreign = isRecord(written) && name.success ? Object.keys(written).filter((key) => isForeign(type, key)) : [];
  const own = isRecord(written) ? withSetting(type, omit(written, foreign)) : written;
  const read = readStructure(schemaOf(type), own, inside('schedule'));
  const problems = foreign.map((option) => foreignProblem(type, option));
  if (E.isLeft(read)) return E.left(concat(problems)(read.left));
  if (isNonEmpty(problems)) return E.left(problems);
  const { microbatches = defaultMicrobatches(type, pipelineMicrobatches), ...options } = read.right;
  return E.right({ ...omit(options, ['setting']), microbatches } as Schedule);
};

/** A schedule made in code: its type and the options that differ from their defaults. Throws on what a file may not say. */
export const makeSchedule = <T extends ScheduleName>(
  options: { readonly type: T; readonly microbatches: number; readonly setting?: 'fair' | 'released' } & Partial<ScheduleOf<T>>,
): ScheduleOf<T> => {
  const read = readSchedule(options, options.microbatches);
  if (E.isLeft(read)) throw new RangeError(formatProblems('', read.left));
  return read.right as ScheduleOf<T>;
};
