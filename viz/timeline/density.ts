import type { Trace } from '../../core/trace/trace.ts';
import type { Theme } from '../theme.ts';
import type { BoxBatch } from './batch.ts';
import { clampX, xOf, type Frame } from './frame.ts';
import type { RowMarks } from './marks.ts';
import type { Plot } from './plot.ts';
import { shadeOf, stripeAdapter, stripeCount } from './span-fill.ts';

/** Spans that one column should hold: with fewer, neighbouring columns differ by chance and the picture flickers. */
const SPANS_PER_COLUMN = 32;
const COLUMN_PIXELS = { least: 4, most: 16 } as const;

/** Boxes lower than this many pixels do not show: the next colour takes their share over, so that the sum is right. */
const LOWEST_BOX = 0.25;

/** Whether so many spans leave less than a pixel to each of them and its gap. */
export const isTooDense = (spans: number, { width }: Frame): boolean => spans > width;

/** Columns of `pixels` each; `amount[column * paints + paint]` is the time of a paint in a column, in pixels. */
interface Columns {
  readonly pixels: number;
  readonly paints: number;
  readonly amount: Float64Array;
}

/** Spreads the pixels from x1 to x2 over the columns they cover. */
const spread = ({ pixels, paints, amount }: Columns, paint: number, x1: number, x2: number, share: number): void => {
  const last = amount.length / paints - 1;
  for (let column = Math.floor(x1 / pixels); column <= last && column * pixels < x2; column++) {
    const from = Math.max(x1, column * pixels);
    const to = Math.min(x2, (column + 1) * pixels);
    amount[column * paints + paint]! += (to - from) * share;
  }
};

/** Paint 0 is neutral; an adapter colour has its tint at an odd number and its full colour after it. */
const paintsOf = (theme: Theme): readonly string[] => [
  theme.neutral,
  ...theme.adapters.flatMap(({ tint, main }) => [tint, main]),
];

const paintOf = (trace: Trace, span: number, stripe: number, colours: number): number => {
  const shade = shadeOf(trace, span);
  if (shade === 'lifecycle') return 0;
  const colour = stripeAdapter(trace, span, stripe) % colours;
  return 1 + 2 * colour + (shade === 'forward' ? 0 : 1);
};

const columnPixels = (spans: number, { width }: Frame): number =>
  Math.min(Math.max((SPANS_PER_COLUMN * width) / spans, COLUMN_PIXELS.least), COLUMN_PIXELS.most);

/** Share of time each paint has in each column of pixels. */
const measureColumns = (trace: Trace, index: Uint32Array, { frame, theme }: Plot): Columns => {
  const colours = theme.adapters.length;
  const paints = 1 + 2 * colours;
  const pixels = columnPixels(index.length, frame);
  const columns: Columns = { pixels, paints, amount: new Float64Array(Math.ceil(frame.width / pixels) * paints) };
  const { startNs, endNs } = trace.spans;
  for (const span of index) {
    const x1 = clampX(frame, xOf(frame, startNs[span]!)) - frame.left;
    const x2 = clampX(frame, xOf(frame, endNs[span]!)) - frame.left;
    const stripes = stripeCount(trace, span);
    for (let s = 0; s < stripes; s++) spread(columns, paintOf(trace, span, s, colours), x1, x2, 1 / stripes);
  }
  return columns;
};

/**
 * Adds spans too narrow to be seen as what they add up to: in every column the height of a colour is its share of the
 * time, and what stays free above is idle.
 */
export const addDensity = (batch: BoxBatch, trace: Trace, { row, index }: RowMarks, plot: Plot): void => {
  const { pixels, paints, amount } = measureColumns(trace, index, plot);
  const { left, width } = plot.frame;
  const fills = paintsOf(plot.theme);
  for (let column = 0; column * paints < amount.length; column++) {
    let bottom = row.y + row.height;
    let taken = 0;
    const wide = Math.min(pixels, width - column * pixels);
    for (let paint = 0; paint < paints; paint++) {
      taken = Math.min(taken + (amount[column * paints + paint]! / wide) * row.height, bottom - row.y);
      if (taken < LOWEST_BOX) continue;
      bottom -= taken;
      batch.add(fills[paint]!, left + column * pixels, bottom, wide, taken);
      taken = 0;
    }
  }
};
