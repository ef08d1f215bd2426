import { ensureCapacity } from '../columns.ts';
import { ascendingOrder, isAscending } from './row-order.ts';
import type { MemoryTable } from './trace.ts';

/** Growing columns of a memory table; `length` counts the rows in use. */
export interface MemoryColumns {
  length: number;
  device: Uint16Array;
  memoryClass: Uint8Array;
  timeNs: Float64Array;
  bytes: Float64Array;
}

/** One row of a memory table: what a class of a device holds from a time on. */
export interface MemoryChange {
  readonly device: number;
  /** Index into MEMORY_CLASSES. */
  readonly memoryClass: number;
  readonly timeNs: number;
  readonly bytes: number;
}

/** Empty columns with room for `capacity` changes. */
export const createMemoryColumns = (capacity = 64): MemoryColumns => ({
  length: 0,
  device: new Uint16Array(capacity),
  memoryClass: new Uint8Array(capacity),
  timeNs: new Float64Array(capacity),
  bytes: new Float64Array(capacity),
});

/** Number of a new row, for the caller to fill in. */
export const reserveMemoryChange = (columns: MemoryColumns): number => {
  if (columns.length === columns.memoryClass.length) growMemory(columns);
  return columns.length++;
};

const growMemory = (columns: MemoryColumns): void => {
  const length = columns.length + 1;
  columns.device = ensureCapacity(columns.device, length);
  columns.memoryClass = ensureCapacity(columns.memoryClass, length);
  columns.timeNs = ensureCapacity(columns.timeNs, length);
  columns.bytes = ensureCapacity(columns.bytes, length);
};

export const appendMemoryChange = (columns: MemoryColumns, change: MemoryChange): void => {
  const row = reserveMemoryChange(columns);
  columns.device[row] = change.device;
  columns.memoryClass[row] = change.memoryClass;
  columns.timeNs[row] = change.timeNs;
  columns.bytes[row] = change.bytes;
};

/** The row as an object. */
export const memoryChangeAt = (table: MemoryTable, row: number): MemoryChange => ({
  device: table.device[row]!,
  memoryClass: table.memoryClass[row]!,
  timeNs: table.timeNs[row]!,
  bytes: table.bytes[row]!,
});

/** The rows in order of time (rows of one time keep their order); the columns must not be used afterwards. */
export const finishMemory = (columns: MemoryColumns): MemoryTable => {
  const { length, timeNs } = columns;
  if (isAscending(timeNs, length)) return trimmed(columns);
  const sorted = createMemoryColumns(length);
  for (const row of ascendingOrder(timeNs, length)) appendMemoryChange(sorted, memoryChangeAt(columns, row));
  return trimmed(sorted);
};

const trimmed = ({ length, ...columns }: MemoryColumns): MemoryTable => ({
  length,
  device: columns.device.subarray(0, length),
  memoryClass: columns.memoryClass.subarray(0, length),
  timeNs: columns.timeNs.subarray(0, length),
  bytes: columns.bytes.subarray(0, length),
});
