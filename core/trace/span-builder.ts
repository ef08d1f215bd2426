import { ensureCapacity } from '../columns.ts';
import { ascendingOrder, isAscending } from './row-order.ts';
import type { SpanTable } from './trace.ts';

/** One row of a span table as an object. */
export interface Span {
  readonly device: number;
  readonly stream: number;
  readonly kind: number;
  readonly stage: number;
  readonly operand: number;
  readonly iteration: number;
  readonly startNs: number;
  readonly endNs: number;
}

/**
 * Growing columns of a span table. `reserveSpan` and direct writes are for inner loops, `appendSpan` for everything
 * else; `length` counts the rows in use.
 */
export interface SpanColumns {
  length: number;
  device: Uint16Array;
  stream: Uint8Array;
  kind: Uint8Array;
  stage: Uint16Array;
  operand: Uint32Array;
  iteration: Uint32Array;
  startNs: Float64Array;
  endNs: Float64Array;
}

/** Empty columns with room for `capacity` spans. */
export const createSpanColumns = (capacity = 64): SpanColumns => ({
  length: 0,
  device: new Uint16Array(capacity),
  stream: new Uint8Array(capacity),
  kind: new Uint8Array(capacity),
  stage: new Uint16Array(capacity),
  operand: new Uint32Array(capacity),
  iteration: new Uint32Array(capacity),
  startNs: new Float64Array(capacity),
  endNs: new Float64Array(capacity),
});

/** Number of a new row, for the caller to fill in. */
export const reserveSpan = (columns: SpanColumns): number => {
  if (columns.length === columns.kind.length) growSpans(columns);
  return columns.length++;
};

const growSpans = (columns: SpanColumns): void => {
  const length = columns.length + 1;
  columns.device = ensureCapacity(columns.device, length);
  columns.stream = ensureCapacity(columns.stream, length);
  columns.kind = ensureCapacity(columns.kind, length);
  columns.stage = ensureCapacity(columns.stage, length);
  columns.operand = ensureCapacity(columns.operand, length);
  columns.iteration = ensureCapacity(columns.iteration, length);
  columns.startNs = ensureCapacity(columns.startNs, length);
  columns.endNs = ensureCapacity(columns.endNs, length);
};

export const appendSpan = (columns: SpanColumns, span: Span): void => {
  const row = reserveSpan(columns);
  columns.device[row] = span.device;
  columns.stream[row] = span.stream;
  columns.kind[row] = span.kind;
  columns.stage[row] = span.stage;
  columns.operand[row] = span.operand;
  columns.iteration[row] = span.iteration;
  columns.startNs[row] = span.startNs;
  columns.endNs[row] = span.endNs;
};

/** The row as an object. */
export const spanAt = (table: SpanTable, row: number): Span => ({
  device: table.device[row]!,
  stream: table.stream[row]!,
  kind: table.kind[row]!,
  stage: table.stage[row]!,
  operand: table.operand[row]!,
  iteration: table.iteration[row]!,
  startNs: table.startNs[row]!,
  endNs: table.endNs[row]!,
});

/** The rows in order of start (rows that start together keep their order); the columns must not be used afterwards. */
export const finishSpans = (columns: SpanColumns): SpanTable => {
  const { length, startNs } = columns;
  return isAscending(startNs, length) ? trimmed(columns) : reordered(columns, ascendingOrder(startNs, length));
};

const trimmed = ({ length, ...columns }: SpanColumns): SpanTable => ({
  length,
  device: columns.device.subarray(0, length),
  stream: columns.stream.subarray(0, length),
  kind: columns.kind.subarray(0, length),
  stage: columns.stage.subarray(0, length),
  operand: columns.operand.subarray(0, length),
  iteration: columns.iteration.subarray(0, length),
  startNs: columns.startNs.subarray(0, length),
  endNs: columns.endNs.subarray(0, length),
});

const reordered = (columns: SpanColumns, order: Uint32Array): SpanTable => {
  const sorted = createSpanColumns(order.length);
  for (const row of order) appendSpan(sorted, spanAt(columns, row));
  return trimmed(sorted);
};
