import { bisectLeft } from 'd3';
import { STREAMS } from '../../core/plan/op.ts';
import { computeWindow, makespanNs, type TimeWindow } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { layoutRows, type Row } from './rows.ts';

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

/** Sorts the spans of a trace into rows. */
export const layoutMarks = (trace: Trace): TimelineMarks => {
  const { rows, height } = layoutRows(trace);
  const perRow: number[][] = rows.map(() => []);
  const rowOf = new Map(rows.map(({ device, stream }, r) => [device * STREAMS.length + stream, r]));
  const { device, stream, length } = trace.spans;
  for (let i = 0; i < length; i++) perRow[rowOf.get(device[i]! * STREAMS.length + stream[i]!)!]!.push(i);
  return {
    trace,
    rows: rows.map((row, r) => marksOfRow(trace, row, Uint32Array.from(perRow[r]!))),
    height,
    ...extentOf(trace),
    computing: computeWindow(trace),
  };
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
