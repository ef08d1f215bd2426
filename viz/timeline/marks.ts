import { bisectLeft } from 'd3';
import { STREAM, STREAMS } from '../../core/plan/op.ts';
import { computeWindow, makespanNs, type TimeWindow } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { ColourBy } from './colour-by.ts';
import { layoutRows, shrinkRows, type Row } from './rows.ts';

/** The spans of one row as an index into the trace's columns, in order of start. */
export interface RowMarks {
  readonly row: Row;
  readonly index: Uint32Array;
  /** Latest end among the spans up to each position: never falls, so it can be searched even where spans overlap. */
  readonly reachNs: Float64Array;
}

/** Everything a timeline draws. The channels are the trace's own columns; only rows and their index are new. */
export interface TimelineMarks {
  readonly trace: Trace;
  readonly rows: readonly RowMarks[];
  /** Pixels from the first row's top to the last row's bottom. */
  readonly height: number;
  /** First start and last end of all spans; 0 and 0 without spans. */
  readonly startNs: number;
  readonly endNs: number;
  /** The window in which idle time counts as a bubble; null without computation. */
  readonly computing: TimeWindow | null;
  readonly colourBy: ColourBy;
}

const extentOf = (trace: Trace): TimeWindow => {
  const startNs = trace.spans.startNs[0] ?? 0;
  return { startNs, endNs: startNs + makespanNs(trace) };
};

const marksOfRow = ({ spans }: Trace, row: Row, index: Uint32Array): RowMarks => {
  const reachNs = new Float64Array(index.length);
  let reach = 0;
  for (let p = 0; p < index.length; p++) reachNs[p] = reach = Math.max(reach, spans.endNs[index[p]!]!);
  return { row, index, reachNs };
};

/** Positions of the rows by device and stream; a span's row is at `device · STREAMS.length + stream`. */
const rowNumbers = (trace: Trace, rows: readonly Row[]): Uint32Array => {
  const numbers = new Uint32Array(trace.devices.length * STREAMS.length);
  for (const [r, { device, stream }] of rows.entries()) numbers[device * STREAMS.length + stream] = r;
  return numbers;
};

/** The spans of each row in order, by counting first how many each has. */
const indexRows = (trace: Trace, rows: readonly Row[]): readonly Uint32Array[] => {
  const { device, stream, length } = trace.spans;
  const numbers = rowNumbers(trace, rows);
  const counts = new Uint32Array(rows.length);
  for (let i = 0; i < length; i++) counts[numbers[device[i]! * STREAMS.length + stream[i]!]!]!++;
  const indexes = rows.map((_, r) => new Uint32Array(counts[r]!));
  counts.fill(0);
  for (let i = 0; i < length; i++) {
    const r = numbers[device[i]! * STREAMS.length + stream[i]!]!;
    indexes[r]![counts[r]!++] = i;
  }
  return indexes;
};

/** Sorts the spans of a trace into rows. */
export const layoutMarks = (trace: Trace, colourBy: ColourBy = 'adapter'): TimelineMarks => {
  const { rows, height } = layoutRows(trace);
  const indexes = indexRows(trace, rows);
  return {
    trace,
    rows: rows.map((row, r) => marksOfRow(trace, row, indexes[r]!)),
    height,
    ...extentOf(trace),
    computing: computeWindow(trace),
    colourBy,
  };
};

/** The compute rows alone, as low as they have to be to lie in so many pixels under each other. */
export const shrinkMarks = (marks: TimelineMarks, height: number): TimelineMarks => {
  const computeRows = marks.rows.filter(({ row }) => row.stream === STREAM.compute);
  const { rows, height: taken } = shrinkRows(computeRows.map(({ row }) => row), height);
  return { ...marks, rows: computeRows.map((rowMarks, r) => ({ ...rowMarks, row: rows[r]! })), height: taken };
};

/** The same rows with the chosen spans only. */
export const chooseMarks = (marks: TimelineMarks, chosen: (span: number) => boolean): TimelineMarks => ({
  ...marks,
  rows: marks.rows.map(({ row, index }) => marksOfRow(marks.trace, row, index.filter(chosen))),
});

/** Positions [from, to) of a row's spans that touch the window of time. */
export const visibleRange = (
  marks: RowMarks,
  trace: Trace,
  startNs: number,
  endNs: number,
): readonly [number, number] => {
  const from = bisectLeft(marks.reachNs, startNs);
  let low = from;
  let high = marks.index.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (trace.spans.startNs[marks.index[middle]!]! <= endNs) low = middle + 1;
    else high = middle;
  }
  return [from, low];
};
