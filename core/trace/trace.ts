import type { MemoryClass } from '../cost-model.ts';
import type { PlanTables } from '../plan/plan.ts';

/**
 * Ops with start and end, in order of start, as columns. `kind`, `stage`, `operand` and `iteration` are those of the
 * op in the plan; times are integer nanoseconds since the start of the run.
 */
export interface SpanTable {
  readonly length: number;
  readonly device: Uint16Array;
  readonly stream: Uint8Array;
  readonly kind: Uint8Array;
  readonly stage: Uint16Array;
  readonly operand: Uint32Array;
  readonly iteration: Uint32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

/** Bytes that a memory class of a device holds from `timeNs` on, in order of time. */
export interface MemoryTable {
  readonly length: number;
  readonly device: Uint16Array;
  /** Index into MEMORY_CLASSES. */
  readonly memoryClass: Uint8Array;
  readonly timeNs: Float64Array;
  readonly bytes: Float64Array;
}

export interface TraceDevice {
  readonly name: string;
  readonly capacityBytes: number;
  /** The processor it ran on, in its own words; measured traces only. */
  readonly hardware?: string;
}

/** The first moment a device needed more than it has; the trace goes on as if it had it. */
export interface OutOfMemory {
  readonly device: number;
  /** Class whose allocation broke the capacity. */
  readonly memoryClass: MemoryClass;
  /** Bytes missing at that moment. */
  readonly missingBytes: number;
  readonly timeNs: number;
  /** Text form of the op that allocated. */
  readonly op: string;
}

/** What happened when a plan ran, in virtual or in real time. */
export interface Trace {
  readonly source: 'simulated' | 'measured';
  readonly plan: PlanTables;
  readonly devices: readonly TraceDevice[];
  readonly spans: SpanTable;
  readonly memory: MemoryTable;
  readonly outOfMemory: OutOfMemory | null;
  /**
   * Only of a foreign trace, which knows kernels and no plan: their names by microbatch. Its devices are streams, its
   * adapters families of kernels, and nothing says what waits for what.
   */
  readonly kernels?: readonly string[];
}
