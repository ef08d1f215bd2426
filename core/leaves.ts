/** Values that appear in many input files. */
import type { ZodType } from 'zod';
import { leaf } from './structure.ts';

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

/** An integer from `minimum` to `maximum`, both included. */
export const wholeNumber = (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): ZodType<number> =>
  leaf(
    maximum === Number.MAX_SAFE_INTEGER
      ? `expected a whole number of at least ${minimum}`
      : `expected a whole number from ${minimum} to ${maximum}`,
    (value) => Number.isSafeInteger(value) && isNumber(value) && value >= minimum && value <= maximum,
  );

export const positiveNumber: ZodType<number> = leaf(
  'expected a number above 0',
  (value) => isNumber(value) && value > 0,
);

export const nonNegativeNumber: ZodType<number> = leaf(
  'expected a number of at least 0',
  (value) => isNumber(value) && value >= 0,
);

/** A number of at least 0 and below 1. */
export const fraction: ZodType<number> = leaf(
  'expected a number of at least 0 and below 1',
  (value) => isNumber(value) && value >= 0 && value < 1,
);

export const text: ZodType<string> = leaf('expected a text', (value) => typeof value === 'string');

export const nonEmptyText: ZodType<string> = leaf(
  'expected a text that is not empty',
  (value) => typeof value === 'string' && value !== '',
);
