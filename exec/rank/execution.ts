import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Op } from '../../core/plan/op.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { AdapterSetup, AdapterState, NamedArray, PartLoss, Stage } from '../stage.ts';
import type { Transport } from '../transport/transport.ts';
import type { Halt } from './halt.ts';

/** An adapter about to be loaded; without `initial` its first values come from its seed. */
export interface AdapterStart {
  readonly setup: AdapterSetup;
  readonly initial?: readonly NamedArray[];
  /** Steps it has made, as `Stage.load` takes them. */
  readonly steps?: number;
}

/** Change of the bytes a compute op leaves behind, and what it took in and gave out between stages. */
export interface OpBytes {
  readonly held: number;
  readonly input: number;
  readonly output: number;
}

/** Takes note of what happens while a program runs; times are those of the execution's clock. */
export interface Observer {
  readonly span: (op: Op, startNs: number, endNs: number) => void;
  readonly computed: (op: Op, endNs: number, bytes: OpBytes) => void;
  /** Bytes of received or still unsent tensors, as a change. */
  readonly transferred: (atNs: number, changeBytes: number) => void;
  readonly losses: (microbatch: number, losses: readonly PartLoss[]) => void;
  readonly saved: (stage: number, adapter: number, weights: readonly NamedArray[]) => void;
  /** The part of an adapter's checkpoint that is on this stage. */
  readonly checkpoint: (stage: number, adapter: number, state: AdapterState) => void;
  /** The part of an adapter's state that was on this stage, as its `save` hands it out where that is its whole state. */
  readonly left: (stage: number, adapter: number, state: AdapterState) => void;
}

/** Everything that the ops of one device's program act on. */
export interface Execution {
  readonly device: number;
  /** All stages of the plan; those of this device are in `stages`. */
  readonly placements: readonly StagePlacement[];
  readonly stages: ReadonlyMap<number, Stage>;
  readonly transport: Transport;
  readonly batchOf: (microbatch: number) => PackedBatch;
  readonly startOf: (stage: number, adapter: number) => AdapterStart;
  /** When an adapter's job arrives; its `load` waits until then. */
  readonly arrivalsNs: readonly number[];
  readonly halt: Halt;
  /** Whether an adapter's state is handed out after it has made that many steps. */
  readonly isCheckpoint: (adapter: number, iteration: number) => boolean;
  /** Steps an adapter has made when its `save` hands its whole state out, so that it may go on later; null: only its weights. */
  readonly savedAfter: (stage: number, adapter: number) => number | null;
  /** Whether a microbatch carries held-out rows: its forward keeps nothing for a backward. */
  readonly isEvaluated: (microbatch: number) => boolean;
  /** Whether an adapter's step waits for the norm of its gradient over all stages. */
  readonly clips: (adapter: number) => boolean;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  /** Copies a tensor's values off the device. */
  readonly read: (tensor: Tensor2D) => Promise<Float32Array>;
  /** Settles when the device has computed what it was given; null where calls return with their results. */
  readonly finish: (() => Promise<void>) | null;
  /** Bytes of all tensors the backend holds. */
  readonly heldBytes: () => number;
  readonly observer: Observer;
}

export const stageOf = (execution: Execution, stage: number): Stage => {
  const found = execution.stages.get(stage);
  if (found === undefined) throw new Error(`stage ${stage} is not on device ${execution.device}`);
  return found;
};
