import { MEMORY_CLASSES } from '../../core/cost-model.ts';
import {
  createMemoryColumns,
  reserveMemoryChange,
  type MemoryColumns,
} from '../../core/trace/memory-builder.ts';
import type { Clock } from './event-queue.ts';

/** Bytes every device holds, by class, and every change of them. */
export interface Ledger {
  readonly clock: Clock;
  readonly capacityBytes: Float64Array;
  readonly totalBytes: Float64Array;
  /** By device · classes + class. */
  readonly heldBytes: Float64Array;
  /** Latest row in `changes` by device · classes + class; −1 before the first. */
  readonly latestRow: Int32Array;
  readonly changes: MemoryColumns;
}

const CLASSES = MEMORY_CLASSES.length;

export const createLedger = (
  clock: Clock,
  capacityBytes: readonly number[],
  changeCapacity: number,
): Ledger => ({
  clock,
  capacityBytes: Float64Array.from(capacityBytes),
  totalBytes: new Float64Array(capacityBytes.length),
  heldBytes: new Float64Array(capacityBytes.length * CLASSES),
  latestRow: new Int32Array(capacityBytes.length * CLASSES).fill(-1),
  changes: createMemoryColumns(changeCapacity),
});

/** Changes what a class of a device holds; changes of one class in one instant make one row. */
export const changeHeld = (ledger: Ledger, device: number, memoryClass: number, bytes: number): void => {
  const cell = device * CLASSES + memoryClass;
  const held = ledger.heldBytes[cell]! + bytes;
  ledger.heldBytes[cell] = held;
  ledger.totalBytes[device]! += bytes;
  const { nowNs } = ledger.clock;
  const latest = ledger.latestRow[cell]!;
  if (latest >= 0 && ledger.changes.timeNs[latest] === nowNs) ledger.changes.bytes[latest] = held;
  else recordHeld(ledger, device, memoryClass, held);
};

const recordHeld = ({ changes, latestRow, clock }: Ledger, device: number, memoryClass: number, held: number): void => {
  const row = reserveMemoryChange(changes);
  changes.device[row] = device;
  changes.memoryClass[row] = memoryClass;
  changes.timeNs[row] = clock.nowNs;
  changes.bytes[row] = held;
  latestRow[device * CLASSES + memoryClass] = row;
};

/** Bytes a device holds beyond its capacity; 0 or less while everything fits. */
export const missingBytes = ({ totalBytes, capacityBytes }: Ledger, device: number): number =>
  totalBytes[device]! - capacityBytes[device]!;
