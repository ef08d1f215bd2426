import { bisectLeft, bisector, least } from 'd3';
import { timeAt, type Frame } from './frame.ts';
import { visibleRange, type RowMarks, type TimelineMarks } from './marks.ts';

/** How many pixels beside a span still mean it, so that hairlines can be hit. */
const TOLERANCE = 2;

const distanceTo = (marks: TimelineMarks, span: number, timeNs: number): number => {
  const { startNs, endNs } = marks.trace.spans;
  return Math.max(startNs[span]! - timeNs, timeNs - endNs[span]!, 0);
};

const nearest = (marks: TimelineMarks, spans: Iterable<number>, timeNs: number): number | null =>
  least(spans, (span) => distanceTo(marks, span, timeNs)) ?? null;

/** The span at a point of the plot area (x in the frame's pixels, y below the first row's top), or null. */
export const pickSpan = (marks: TimelineMarks, frame: Frame, x: number, y: number): number | null => {
  const rowMarks = marks.rows.find(({ row }) => y >= row.y - 1 && y < row.y + row.height + 1);
  if (rowMarks === undefined || x < frame.left || x > frame.left + frame.width) return null;
  const [from, to] = visibleRange(rowMarks, marks.trace, timeAt(frame, x - TOLERANCE), timeAt(frame, x + TOLERANCE));
  return nearest(marks, rowMarks.index.subarray(from, to), timeAt(frame, x));
};

const rowNumber = (marks: TimelineMarks, span: number): number => {
  const { device, stream } = marks.trace.spans;
  return marks.rows.findIndex(({ row }) => row.device === device[span] && row.stream === stream[span]);
};

/** The row a span lies in. */
export const rowOf = (marks: TimelineMarks, span: number): RowMarks => marks.rows[rowNumber(marks, span)]!;

/** The span before (-1) or after (1) a span in its row, or null at the row's end. */
export const spanBeside = (marks: TimelineMarks, span: number, direction: -1 | 1): number | null => {
  const { index } = rowOf(marks, span);
  return index[bisectLeft(index, span) + direction] ?? null;
};

const nearestInRow = (marks: TimelineMarks, { index }: RowMarks, timeNs: number): number | null => {
  const after = bisector((span: number) => marks.trace.spans.startNs[span]!).left(index, timeNs);
  return nearest(marks, index.subarray(Math.max(0, after - 1), after + 1), timeNs);
};

/** The span nearest in time in the closest row above (-1) or below (1) that has spans, or null when there is none. */
export const spanInNextRow = (marks: TimelineMarks, span: number, direction: -1 | 1): number | null => {
  const timeNs = marks.trace.spans.startNs[span]!;
  for (let r = rowNumber(marks, span) + direction; marks.rows[r] !== undefined; r += direction) {
    const found = nearestInRow(marks, marks.rows[r]!, timeNs);
    if (found !== null) return found;
  }
  return null;
};

/** The first span in a window of time, in the topmost row that has one; null when the window is empty. */
export const firstSpan = (marks: TimelineMarks, startNs: number, endNs: number): number | null => {
  for (const rowMarks of marks.rows) {
    const [from, to] = visibleRange(rowMarks, marks.trace, startNs, endNs);
    if (from < to) return rowMarks.index[from]!;
  }
  return null;
};
