import type { Trace } from '../../core/trace/trace.ts';
import { paintOf, paintsOf, stripesBy, type ColourBy } from './colour-by.ts';
import { clampX, timeAt, xOf, type Frame } from './frame.ts';
import type { RowMarks } from './marks.ts';
import type { Plot } from './plot.ts';
import { addShares, levelFor, sharesOf } from './time-shares.ts';

/** Spans that one column should hold: with fewer, neighbouring columns differ by chance and the picture flickers. */
const SPANS_PER_COLUMN = 32;
const COLUMN_PIXELS = { least: 4, most: 16 } as const;

/** Bins of the time shares that a column has at least: the fewer, the rougher its edges. */
const BINS_PER_COLUMN = 3;

/** Below this many spans in sight their exact times are as fast as the bins. */
const EXACT_SPANS = 4096;

/** Whether so many spans leave less than a pixel to each of them and its gap. */
export const isTooDense = (spans: number, { width }: Frame): boolean => spans > width;

/** A row of which the spans from one position of its index up to another are in sight. */
export interface VisibleRow {
  readonly rowMarks: RowMarks;
  readonly from: number;
  readonly to: number;
  readonly colourBy: ColourBy;
}

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

const emptyColumns = (spans: number, { frame, theme }: Plot): Columns => {
  const wanted = (SPANS_PER_COLUMN * frame.width) / spans;
  const pixels = Math.min(Math.max(wanted, COLUMN_PIXELS.least), COLUMN_PIXELS.most);
  const paints = 1 + 2 * theme.adapters.length;
  return { pixels, paints, amount: new Float64Array(Math.ceil(frame.width / pixels) * paints) };
};

/** Adds every span in sight with its exact times. */
const measureSpans = (columns: Columns, trace: Trace, { rowMarks, from, to, colourBy }: VisibleRow, plot: Plot): void => {
  const { frame, theme } = plot;
  const { startNs, endNs } = trace.spans;
  for (const span of rowMarks.index.subarray(from, to)) {
    const x1 = clampX(frame, xOf(frame, startNs[span]!)) - frame.left;
    const x2 = clampX(frame, xOf(frame, endNs[span]!)) - frame.left;
    const stripes = stripesBy(trace, span, colourBy);
    for (let s = 0; s < stripes; s++) {
      spread(columns, paintOf(trace, span, s, colourBy, theme.adapters.length), x1, x2, 1 / stripes);
    }
  }
};

/** Adds the row's time shares; false where they are coarser than the columns. */
const measureBins = (columns: Columns, trace: Trace, { rowMarks, colourBy }: VisibleRow, { frame, theme }: Plot): boolean => {
  const { pixels, paints, amount } = columns;
  const columnNs = timeAt(frame, frame.left + pixels) - frame.startNs;
  const shares = sharesOf(trace, rowMarks, colourBy, theme.adapters.length);
  const level = levelFor(shares, columnNs / BINS_PER_COLUMN);
  if (level === null) return false;
  for (let column = 0; column * paints < amount.length; column++) {
    const sums = amount.subarray(column * paints, (column + 1) * paints);
    const fromNs = frame.startNs + column * columnNs;
    addShares(shares, level, fromNs, Math.min(frame.endNs, fromNs + columnNs), sums);
    for (let paint = 0; paint < paints; paint++) sums[paint]! *= pixels / columnNs;
  }
  return true;
};

/** Share of time each paint has in each column of pixels. */
const measureColumns = (trace: Trace, row: VisibleRow, plot: Plot): Columns => {
  const columns = emptyColumns(row.to - row.from, plot);
  const binned = row.to - row.from > EXACT_SPANS && measureBins(columns, trace, row, plot);
  if (!binned) measureSpans(columns, trace, row, plot);
  return columns;
};

/**
 * Draws spans too narrow to be seen as what they add up to: in every column the height of a colour is its share of the
 * time, and what stays free above is idle.
 */
export const drawDensity = (trace: Trace, visible: VisibleRow, plot: Plot): void => {
  const { pixels, paints, amount } = measureColumns(trace, visible, plot);
  const { y, height } = visible.rowMarks.row;
  const { left, width } = plot.frame;
  for (let column = 0; column * paints < amount.length; column++) {
    const wide = Math.min(pixels, width - column * pixels);
    for (let paint = 0; paint < paints; paint++) amount[column * paints + paint]! /= wide;
  }
  plot.surface.stacks({ x: left, y, width, height, columnWidth: pixels, fills: paintsOf(plot.theme), shares: amount, from: 'foot' });
};
