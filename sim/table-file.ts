/** Kernel tables inside profile files. */
import * as z from 'zod';
import { nonEmptyText, positiveNumber } from '../core/leaves.ts';
import { closed, leaf, oneOf } from '../core/structure.ts';
import type { ElementwiseTable, GemmTable } from './kernel-tables.ts';

const isPositive = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0;

const ascending = leaf<readonly number[]>(
  'expected a list of numbers above 0, each larger than the one before',
  (value) => Array.isArray(value) && value.length > 0 && value.every((each, at) => isPositive(each) && (at === 0 || each > value[at - 1])),
);

const positives = leaf<readonly number[]>(
  'expected a list of numbers above 0',
  (value) => Array.isArray(value) && value.length > 0 && value.every(isPositive),
);

const origin = oneOf(['measured', 'fitted', 'guess'] as const);

/** A complaint about a list whose length does not fit the columns of its table. */
const lengthIssue = (context: z.core.ParsePayload, path: PropertyKey[], list: readonly number[], expected: number): void => {
  if (list.length === expected) return;
  context.issues.push({ code: 'custom', path, message: `expected ${expected} numbers, not ${list.length}`, input: list });
};

export const GEMM_TABLE: z.ZodType<GemmTable> = closed({
  origin,
  source: nonEmptyText,
  device: closed({ name: nonEmptyText, flopsPerSecond: positiveNumber, bytesPerSecond: positiveNumber }),
  tokens: ascending,
  products: z.array(positives).min(1, { error: 'expected at least one product' }),
}).check((context) => {
  const { tokens, products } = context.value;
  products.forEach((product, at) => lengthIssue(context, ['products', at], product, tokens.length + 2));
});

export const ELEMENTWISE_TABLE: z.ZodType<ElementwiseTable> = closed({
  origin,
  source: nonEmptyText,
  device: closed({ name: nonEmptyText, bytesPerSecond: positiveNumber }),
  bytes: ascending,
  shares: closed({ plain: positives, norm: positives, activation: positives, rope: positives }),
}).check((context) => {
  const { bytes, shares } = context.value;
  for (const [form, values] of Object.entries(shares)) lengthIssue(context, ['shares', form], values, bytes.length);
});
