import * as z from 'zod';
import type { JobData, LengthDistribution } from '../job.ts';
import { nonEmptyText, positiveNumber, wholeNumber } from '../leaves.ts';
import { suggest } from '../nearest.ts';
import { chosen, closed, isRecord, leaf, oneOf } from '../structure.ts';

const LENGTH_TYPES = ['fixed', 'uniform', 'lognormal'] as const satisfies readonly LengthDistribution['type'][];
const tokens = wholeNumber(1);

const fixed = closed({ type: oneOf(['fixed'] as const), length: tokens });

const uniform = closed({ type: oneOf(['uniform'] as const), minimum: tokens, maximum: tokens }).refine(
  ({ minimum, maximum }) => minimum <= maximum,
  { error: 'expected a minimum that is not above the maximum' },
);

const lognormal = closed({
  type: oneOf(['lognormal'] as const),
  mean: positiveNumber,
  sigma: positiveNumber,
  maximum: tokens,
});

const LENGTHS: ReadonlyMap<unknown, z.ZodType<LengthDistribution>> = new Map<unknown, z.ZodType<LengthDistribution>>([
  ['fixed', fixed],
  ['uniform', uniform],
  ['lognormal', lognormal],
]);

const untyped = leaf<LengthDistribution>(
  (value) =>
    `expected a mapping with a type, one of ${LENGTH_TYPES.join(', ')}` +
    suggest(isRecord(value) ? value.type : undefined, LENGTH_TYPES),
  () => false,
);

const lengths: z.ZodType<LengthDistribution> = chosen((value) =>
  isRecord(value) ? (LENGTHS.get(value.type) ?? untyped) : untyped,
);

const DEFAULT_ROWS = 1000;
/** Lengths are drawn and kept for every row. */
const LARGEST_ROWS = 10_000_000;

const synthetic = closed({ lengths, rows: wholeNumber(1, LARGEST_ROWS).default(DEFAULT_ROWS) }).transform(
  (data): JobData => ({ kind: 'synthetic', ...data }),
);

/** The paper's sequence length, less where the model has fewer positions. */
const DEFAULT_MAXIMUM_LENGTH = 512;

const files = (maxPositions: number) =>
  closed({
    train: nonEmptyText,
    heldout: nonEmptyText.nullable().default(null),
    prompt: nonEmptyText,
    completion: nonEmptyText,
    maximumLength: wholeNumber(1).default(Math.min(DEFAULT_MAXIMUM_LENGTH, maxPositions)),
  }).transform((data): JobData => ({ kind: 'files', ...data }));

/** A job's rows: JSONL files with templates, or a distribution of lengths for planning without data. */
export const jobData = (maxPositions: number): z.ZodType<JobData> => {
  const fromFiles = files(maxPositions);
  const either = leaf<JobData>('expected either train and its templates, or lengths and rows', () => false);
  return chosen((value) => {
    if (!isRecord(value)) return either;
    if ('train' in value && 'lengths' in value) return either;
    return 'lengths' in value || 'rows' in value ? synthetic : fromFiles;
  });
};
