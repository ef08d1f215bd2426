/**
 * Measured kernels as tables. A table is used through the share of its own device's roofline that each row reaches, so
 * that it also serves a card of the same silicon with other clocks, and so that a faster device is never predicted to
 * take longer. Shares are interpolated in the logarithms of the sizes.
 */
import type { ElementwiseForm } from '../core/work/kernel.ts';

export type TableOrigin = 'measured' | 'fitted' | 'guess';

/** Median times of dense products [m, k]·[k, n] of 16-bit elements. */
export interface GemmTable {
  readonly origin: TableOrigin;
  readonly source: string;
  /** What it was measured on, with the data sheet's peak rates. */
  readonly device: { readonly name: string; readonly flopsPerSecond: number; readonly bytesPerSecond: number };
  /** m of every column, ascending. */
  readonly tokens: readonly number[];
  /** n, k and the time in µs at each of `tokens`. */
  readonly products: readonly (readonly number[])[];
}

/** Memory-bound kernels: the share of the memory bandwidth that a launch of so many bytes reaches. */
export interface ElementwiseTable {
  readonly origin: TableOrigin;
  readonly source: string;
  readonly device: { readonly name: string; readonly bytesPerSecond: number };
  /** Bytes of each column, ascending. */
  readonly bytes: readonly number[];
  readonly shares: Readonly<Record<ElementwiseForm, readonly number[]>>;
}

/** Where a product lies with respect to the measured ones. */
export type Coverage = 'measured' | 'moreTokens' | 'otherWeight' | 'none';

/** Answers of a table about products of one weight [k, n]. */
export interface WeightRow {
  /** 'otherWeight': the nearest measured weight is more than a factor of two away in n or k. */
  readonly coverage: Exclude<Coverage, 'moreTokens'>;
  /** Share of the roofline at each of the table's columns. */
  readonly shares: Float64Array;
}

const ELEMENT_BYTES = 2;
const MICROSECOND = 1e-6;
/** Measured weights that one prediction is blended from. */
const NEIGHBOURS = 4;

/** A weight this much narrower than any measured one is another regime: low-rank products are bound by latency or memory. */
const NARROWEST = 1 / 2;

/** Finds the row of any weight, blending the nearest measured ones by inverse squared distance in (ln n, ln k). */
export const gemmRows = (table: GemmTable): ((n: number, k: number) => WeightRow) => {
  const measured = table.products.map(([n, k, ...times]) => ({
    x: Math.log(n!),
    y: Math.log(k!),
    logShares: times.map((us, column) => Math.log(rooflineSeconds(table, table.tokens[column]!, n!, k!) / (us * MICROSECOND))),
  }));
  const leastN = NARROWEST * Math.min(...table.products.map(([n]) => n!));
  const leastK = NARROWEST * Math.min(...table.products.map(([, k]) => k!));
  const known = new Map<number, WeightRow>();
  return (n, k) => {
    if (n < leastN || k < leastK) return NO_ROW;
    const key = n * 2 ** 24 + k;
    const found = known.get(key);
    if (found !== undefined) return found;
    const row = blend(measured, Math.log(n), Math.log(k));
    known.set(key, row);
    return row;
  };
};

const NO_ROW: WeightRow = { coverage: 'none', shares: new Float64Array() };

interface MeasuredWeight {
  readonly x: number;
  readonly y: number;
  readonly logShares: readonly number[];
}

const blend = (measured: readonly MeasuredWeight[], x: number, y: number): WeightRow => {
  const near = measured
    .map((weight) => ({ weight, squared: (weight.x - x) ** 2 + (weight.y - y) ** 2 }))
    .sort((a, b) => a.squared - b.squared)
    .slice(0, NEIGHBOURS);
  const { weight: first, squared } = near[0]!;
  const far = Math.max(Math.abs(first.x - x), Math.abs(first.y - y)) > Math.LN2 + 1e-9;
  // A weight that was measured itself stands for itself.
  const used = squared < 1e-12 ? [{ weight: first, share: 1 }] : near.map((each) => ({ weight: each.weight, share: 1 / each.squared }));
  const total = used.reduce((sum, { share }) => sum + share, 0);
  const shares = Float64Array.from(first.logShares, (_, column) =>
    Math.exp(used.reduce((sum, { weight, share }) => sum + (share / total) * weight.logShares[column]!, 0)),
  );
  return { coverage: far ? 'otherWeight' : 'measured', shares };
};

/** Arithmetic or memory traffic of a product at the sheet's peak rates, whichever takes longer. */
const rooflineSeconds = ({ device }: GemmTable, m: number, n: number, k: number): number =>
  Math.max((2 * m * n * k) / device.flopsPerSecond, (ELEMENT_BYTES * (m * n + n * k + k * m)) / device.bytesPerSecond);

/** Value at `x` of a curve through (columns, values), straight in the logarithms; its ends go on level. */
export const interpolate = (columns: readonly number[], values: ArrayLike<number>, x: number): number => {
  const last = columns.length - 1;
  if (x <= columns[0]!) return values[0]!;
  if (x >= columns[last]!) return values[last]!;
  let right = 1;
  while (columns[right]! < x) right++;
  const [from, to] = [columns[right - 1]!, columns[right]!];
  const along = Math.log(x / from) / Math.log(to / from);
  return values[right - 1]! * (values[right]! / values[right - 1]!) ** along;
};
