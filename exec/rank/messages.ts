import type { Model } from '../../core/model/model.ts';
import type { MicrobatchTable, Program, StagePlacement } from '../../core/plan/plan.ts';
import type { MemoryTable, SpanTable } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceInfo, DeviceRequest } from '../backend/device.ts';
import type { TrainingOrder } from '../data/row-source.ts';
import type { RowTable } from '../data/row-table.ts';
import type { ExecError } from '../exec-error.ts';
import type { AdapterSetup, AdapterState, NamedArray } from '../stage.ts';

/*
 * What coordinator and ranks say to each other: plain data, so that the same messages pass inside a process, between
 * processes and between machines. A conversation: hello, setup, some ping and pong, ready; then for each program run
 * and done, with losses, weights and checkpoints in between; then stop. A run ends early when the rank of the first stage
 * is told to halt: it answers with the limits it has set, which the coordinator passes on to the others.
 */

/** One job as the ranks need it; jobs stand in plan order. */
export interface RankAdapter {
  readonly setup: AdapterSetup;
  readonly training: RowTable;
  readonly order: TrainingOrder;
  readonly heldout: { readonly table: RowTable; readonly batchSize: number } | null;
  /** Where an earlier run has left it; null: fresh. */
  readonly start: AdapterState | null;
}

/** What a rank needs before its first program. */
export interface RankSetup {
  readonly rank: number;
  /** Number drawn for this run, carried by every tensor frame. */
  readonly run: number;
  /** Transport addresses of all ranks. */
  readonly endpoints: readonly string[];
  readonly model: Model;
  readonly modelFolder: string;
  readonly backend: BackendName | 'auto';
  readonly device: DeviceRequest;
  readonly placements: readonly StagePlacement[];
  readonly adapters: readonly RankAdapter[];
}

/** Whether a program trains, and brings adapters and frees them itself, or evaluates held-out rows only. */
export type RunMode = 'train' | 'evaluate';

/** One program to run. Its times count from `zeroNs` on the coordinator's clock. */
export interface RunOrder {
  readonly mode: RunMode;
  readonly program: Program;
  readonly microbatches: MicrobatchTable;
  readonly arrivalsNs: readonly number[];
  readonly zeroNs: number;
  /** Iterations from one checkpoint of an adapter to the next; 0: none. */
  readonly checkpointEvery: number;
}

export type ToRank =
  | { readonly kind: 'setup'; readonly setup: RankSetup }
  | { readonly kind: 'pong'; readonly theirsNs: number }
  | { readonly kind: 'run'; readonly order: RunOrder }
  | { readonly kind: 'halt' }
  | { readonly kind: 'limits'; readonly iterations: readonly number[] }
  | { readonly kind: 'stop' };

/** Loss of one part of one microbatch, already scaled by its mini-batch. */
export interface LossReport {
  readonly adapter: number;
  readonly iteration: number;
  readonly index: number;
  /** Held-out rows, evaluated with the weights that the iteration starts with. */
  readonly evaluated: boolean;
  readonly loss: number;
}

export type FromRank =
  | { readonly kind: 'hello'; readonly endpoint: string; readonly processId: number }
  /** Said once a second, whatever else there is to say. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'ready'; readonly backend: BackendName; readonly device: DeviceInfo; readonly rejected: readonly string[] }
  | { readonly kind: 'losses'; readonly reports: readonly LossReport[] }
  | { readonly kind: 'weights'; readonly adapter: number; readonly stage: number; readonly weights: readonly NamedArray[] }
  | { readonly kind: 'checkpoint'; readonly adapter: number; readonly stage: number; readonly state: AdapterState }
  /** Iterations to which each adapter will get, in answer to `halt`. */
  | { readonly kind: 'limits'; readonly iterations: readonly number[] }
  | { readonly kind: 'done'; readonly spans: SpanTable; readonly memory: MemoryTable }
  | { readonly kind: 'failed'; readonly error: ExecError };

/** A rank's end of its line to the coordinator. `next` rejects when the line is lost. */
export interface ControlPort {
  readonly send: (message: FromRank) => void;
  readonly next: () => Promise<ToRank>;
}
