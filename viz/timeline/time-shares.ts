/**
 * How much of a row's time each paint has, at every resolution: bins of equal time, and the same added up in pairs,
 * pairs of pairs and so on. A picture of a million spans then costs as much as its columns, not as its spans.
 */
import type { Trace } from '../../core/trace/trace.ts';
import { paintOf, stripesBy, type ColourBy } from './colour-by.ts';
import type { RowMarks } from './marks.ts';

/** Bins of one width: `amountNs[bin · paints + paint]`. */
interface Level {
  readonly binNs: number;
  readonly bins: number;
  readonly amountNs: Float32Array;
}

export interface TimeShares {
  readonly startNs: number;
  readonly paints: number;
  /** From fine to coarse. */
  readonly levels: readonly Level[];
}

/** On average so many spans share a bin of the finest level. */
const SPANS_PER_BIN = 8;
const MOST_BINS = 2 ** 17;
const FEWEST_BINS = 64;

const finestBins = (spans: number): number =>
  2 ** Math.ceil(Math.log2(Math.min(Math.max(spans / SPANS_PER_BIN, FEWEST_BINS), MOST_BINS)));

/** Adds time from x1 to x2, in bins, to the bins it covers. */
const spread = (amountNs: Float32Array, at: { paints: number; paint: number; binNs: number }, x1: number, x2: number): void => {
  const { paints, paint, binNs } = at;
  const bins = amountNs.length / paints;
  for (let bin = Math.min(Math.floor(x1), bins - 1); bin < x2 && bin < bins; bin++) {
    amountNs[bin * paints + paint]! += (Math.min(x2, bin + 1) - Math.max(x1, bin)) * binNs;
  }
};

const finestLevel = (trace: Trace, { index, reachNs }: RowMarks, colourBy: ColourBy, colours: number): Level => {
  const { startNs, endNs } = trace.spans;
  const paints = 1 + 2 * colours;
  const bins = finestBins(index.length);
  const originNs = startNs[index[0]!]!;
  const binNs = Math.max(1, reachNs.at(-1)! - originNs) / bins;
  const amountNs = new Float32Array(bins * paints);
  for (const span of index) {
    const stripes = stripesBy(trace, span, colourBy);
    const x1 = (startNs[span]! - originNs) / binNs;
    const x2 = (endNs[span]! - originNs) / binNs;
    for (let s = 0; s < stripes; s++) {
      const paint = paintOf(trace, span, s, colourBy, colours);
      spread(amountNs, { paints, paint, binNs: binNs / stripes }, x1, x2);
    }
  }
  return { binNs, bins, amountNs };
};

const halved = ({ binNs, bins, amountNs }: Level, paints: number): Level => {
  const coarse = new Float32Array((bins / 2) * paints);
  for (let i = 0; i < amountNs.length; i++) {
    const bin = Math.floor(i / paints);
    coarse[(bin >> 1) * paints + (i - bin * paints)]! += amountNs[i]!;
  }
  return { binNs: 2 * binNs, bins: bins / 2, amountNs: coarse };
};

const measureShares = (trace: Trace, row: RowMarks, colourBy: ColourBy, colours: number): TimeShares => {
  const paints = 1 + 2 * colours;
  const levels = [finestLevel(trace, row, colourBy, colours)];
  while (levels.at(-1)!.bins > FEWEST_BINS) levels.push(halved(levels.at(-1)!, paints));
  return { startNs: trace.spans.startNs[row.index[0]!]!, paints, levels };
};

/** Shares of rows by their index, for as long as the rows are in use. */
const known = new WeakMap<Uint32Array, Map<ColourBy, TimeShares>>();

/** The shares of a row that has spans, measured when they are first asked for. */
export const sharesOf = (trace: Trace, row: RowMarks, colourBy: ColourBy, colours: number): TimeShares => {
  const ofRow = known.get(row.index) ?? new Map<ColourBy, TimeShares>();
  known.set(row.index, ofRow);
  const shares = ofRow.get(colourBy) ?? measureShares(trace, row, colourBy, colours);
  ofRow.set(colourBy, shares);
  return shares;
};

/** The coarsest level with bins of at most `mostNs`; null where even the finest is coarser. */
export const levelFor = ({ levels }: TimeShares, mostNs: number): Level | null =>
  levels.findLast(({ binNs }) => binNs <= mostNs) ?? null;

/** Adds the time of each paint between two moments to `sums`, the bins at the edges by the part that lies inside. */
export const addShares = (
  { startNs, paints }: TimeShares,
  { binNs, bins, amountNs }: Level,
  fromNs: number,
  toNs: number,
  sums: Float64Array,
): void => {
  const x1 = (fromNs - startNs) / binNs;
  const x2 = (toNs - startNs) / binNs;
  for (let bin = Math.max(0, Math.floor(x1)); bin < x2 && bin < bins; bin++) {
    const part = Math.min(x2, bin + 1) - Math.max(x1, bin);
    for (let paint = 0; paint < paints; paint++) sums[paint]! += part * amountNs[bin * paints + paint]!;
  }
};
