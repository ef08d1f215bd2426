import { max } from 'd3';
import { STREAM } from '../../core/plan/op.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatDuration } from '../../core/units.ts';
import { formatMoment } from '../timeline/moment.ts';
import { matchSpans } from './match-spans.ts';

/** How much later the compute ops of one device start than in the other trace, in order of start. */
export interface DriftBand {
  readonly device: number;
  readonly rows: Uint32Array;
  /** Start in the second trace minus start in the first, in nanoseconds. */
  readonly laterNs: Float64Array;
}

/** Two traces op by op. Times and rows are those of the second one. */
export interface Drift {
  readonly first: Trace;
  readonly second: Trace;
  /** For every span of the second trace the row of the same op in the first one; −1 where there is none. */
  readonly match: Int32Array;
  readonly bands: readonly DriftBand[];
  /** Largest difference in either direction; at least a nanosecond. */
  readonly largestNs: number;
}

const bandOf = (first: Trace, { spans }: Trace, match: Int32Array, device: number): DriftBand => {
  const rows: number[] = [];
  for (let row = 0; row < spans.length; row++) {
    if (spans.device[row] === device && spans.stream[row] === STREAM.compute && match[row]! >= 0) rows.push(row);
  }
  const laterNs = Float64Array.from(rows, (row) => spans.startNs[row]! - first.spans.startNs[match[row]!]!);
  return { device, rows: Uint32Array.from(rows), laterNs };
};

/** Compares two traces op by op; null where they have no op in common, or one knows no ops. */
export const measureDrift = (first: Trace, second: Trace): Drift | null => {
  if (first.kernels !== undefined || second.kernels !== undefined) return null;
  const match = matchSpans(second, first);
  const bands = second.devices.map((_, device) => bandOf(first, second, match, device));
  if (bands.every(({ rows }) => rows.length === 0)) return null;
  const largestNs = Math.max(1, ...bands.map(({ laterNs }) => max(laterNs, Math.abs) ?? 0));
  return { first, second, match, bands, largestNs };
};

/** Share of the longer run by which an op may be off before the runs count as having drifted apart. */
const TOLERANCE = 0.02;

/** Where the runs drift apart: the first op that is off by more than the tolerance; and the largest difference. */
export const describeDrift = ({ first, second, bands, largestNs }: Drift): string => {
  const toleranceNs = TOLERANCE * Math.max(makespanNs(first), makespanNs(second));
  const { spans } = second;
  let found = -1;
  for (const { rows, laterNs } of bands) {
    const row = rows.find((_, i) => Math.abs(laterNs[i]!) > toleranceNs);
    if (row !== undefined && (found < 0 || spans.startNs[row]! < spans.startNs[found]!)) found = row;
  }
  const largest = `Largest difference: ${formatDuration(largestNs)}.`;
  if (found < 0) return `No op starts more than ${formatDuration(toleranceNs)} earlier or later. ${largest}`;
  return `They drift apart by more than ${formatDuration(toleranceNs)} from ${formatOp(opAt(spans, found))} at ${formatMoment(spans.startNs[found]!)} on. ${largest}`;
};

/** How an op of either trace stands to the same op of the other one; null where there is none. */
export const compareSpan = ({ first, second, match }: Drift, trace: Trace, row: number): string | null => {
  const isSecond = trace === second;
  const other = isSecond ? match[row]! : match.indexOf(row);
  if (other < 0) return null;
  const otherSpans = (isSecond ? first : second).spans;
  const laterNs = trace.spans.startNs[row]! - otherSpans.startNs[other]!;
  const longerNs = trace.spans.endNs[row]! - trace.spans.startNs[row]! - (otherSpans.endNs[other]! - otherSpans.startNs[other]!);
  const start = laterNs === 0 ? 'starts together' : `starts ${formatDuration(Math.abs(laterNs))} ${laterNs > 0 ? 'later' : 'earlier'} here`;
  const length = longerNs === 0 ? '' : `, takes ${formatDuration(Math.abs(longerNs))} ${longerNs > 0 ? 'longer' : 'less'}`;
  return start + length;
};
