import * as z from 'zod';
import type { FileData, JobData, LengthDistribution, RowFormat } from '../job.ts';
import { fraction, nonEmptyText, positiveNumber, wholeNumber } from '../leaves.ts';
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

const FORMATS = ['template', 'chat'] as const satisfies readonly RowFormat['format'][];
const LOSSES = ['completion', 'all'] as const satisfies readonly FileData['loss'][];
const ORDERS = ['shuffled', 'length'] as const satisfies readonly FileData['order'][];

const fileKeys = (maxPositions: number) => ({
  train: nonEmptyText,
  heldout: nonEmptyText.nullable().default(null),
  split: fraction.default(0),
  loss: oneOf(LOSSES).default('completion'),
  order: oneOf(ORDERS).default('shuffled'),
  maximumLength: wholeNumber(1).default(Math.min(DEFAULT_MAXIMUM_LENGTH, maxPositions)),
});

const refuseBoth = ({ heldout, split }: Pick<FileData, 'heldout' | 'split'>, context: z.RefinementCtx): void => {
  if (heldout === null || split === 0) return;
  context.addIssue({ code: 'custom', path: ['split'], message: 'expected no split beside a held-out file', input: split });
};

const templateFiles = (maxPositions: number): z.ZodType<JobData> =>
  closed({
    ...fileKeys(maxPositions),
    format: oneOf(FORMATS).default('template'),
    prompt: nonEmptyText,
    completion: nonEmptyText,
  })
    .superRefine(refuseBoth)
    .transform((data): JobData => ({ kind: 'files', ...data, format: 'template' }));

const chatFiles = (maxPositions: number): z.ZodType<JobData> =>
  closed({ ...fileKeys(maxPositions), format: oneOf(['chat'] as const) })
    .superRefine(refuseBoth)
    .transform((data): JobData => ({ kind: 'files', ...data }));

/** A job's rows: files with templates or chats, or a distribution of lengths for planning without data. */
export const jobData = (maxPositions: number): z.ZodType<JobData> => {
  const template = templateFiles(maxPositions);
  const chat = chatFiles(maxPositions);
  const either = leaf<JobData>('expected either train and its templates, or lengths and rows', () => false);
  return chosen((value) => {
    if (!isRecord(value)) return either;
    if ('train' in value && 'lengths' in value) return either;
    if ('lengths' in value || 'rows' in value) return synthetic;
    return value.format === 'chat' ? chat : template;
  });
};
