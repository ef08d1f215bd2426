import type { Model } from '../../core/model/model.ts';
import type { MicrobatchTable, Program, StagePlacement } from '../../core/plan/plan.ts';
import type { PieceMicrobatch } from '../../core/planners/plan-pieces.ts';
import type { MemoryTable, SpanTable } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceInfo, DeviceRequest } from '../backend/device.ts';
import type { TrainingOrder } from '../data/row-source.ts';
import type { RowTable } from '../data/row-table.ts';
import type { ExecError } from '../exec-error.ts';
import type { AdapterSetup, AdapterState, NamedArray } from '../stage.ts';
import type { Version } from '../version.ts';

/*
 * What coordinator and ranks say to each other: plain data, so that the same messages pass inside a process, between
 * processes and between machines. A conversation: hello, setup, some ping and pong, ready; then for each program run
 * and done, with losses, weights and checkpoints in between; then stop. A run ends early when the rank of the first stage
 * is told to halt: it answers with the limits it has set, which the coordinator passes on to the others. Processes that
 * somebody else has started, on other machines say, begin again with hello after a stop, until they are told to leave.
 *
 * A live program has no end until it is told: `live`, then adapters and pieces of the program as they come, with `progress`
 * and `stepped` in answer, at last `finish` and `done`. An adapter is there before a piece that loads it.
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

/** A program that is told piece by piece. Its times count from `zeroNs` on the coordinator's clock. */
export interface LiveOrder {
  readonly zeroNs: number;
  /** Says `progress`: true for the rank of the first stage, which lets everything in. */
  readonly reportsProgress: boolean;
}

/** An adapter of a live program. */
export interface LiveAdapter extends RankAdapter {
  /** Iterations from one checkpoint to the next. */
  readonly checkpointEvery: number;
}

/** One rank's part of a piece. */
export interface LivePiece {
  readonly program: Program;
  readonly microbatches: readonly PieceMicrobatch[];
}

export type ToRank =
  | { readonly kind: 'setup'; readonly setup: RankSetup }
  | { readonly kind: 'pong'; readonly theirsNs: number }
  | { readonly kind: 'run'; readonly order: RunOrder }
  | { readonly kind: 'live'; readonly order: LiveOrder }
  | { readonly kind: 'adapter'; readonly adapter: LiveAdapter }
  | { readonly kind: 'extend'; readonly piece: LivePiece }
  | { readonly kind: 'finish' }
  | { readonly kind: 'halt' }
  | { readonly kind: 'limits'; readonly iterations: readonly number[] }
  /** Ends the conversation. */
  | { readonly kind: 'stop' }
  /** Ends the process. */
  | { readonly kind: 'leave' }
  /** Answers the hello of a process that cannot take part. */
  | { readonly kind: 'refused'; readonly reason: string };

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
  /** `host`: name of the rank's machine. */
  | { readonly kind: 'hello'; readonly endpoint: string; readonly processId: number; readonly host: string; readonly version: Version }
  /** The last word of a rank that was told to leave. */
  | { readonly kind: 'goodbye' }
  /** Said once a second, whatever else there is to say. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'ready'; readonly backend: BackendName; readonly device: DeviceInfo; readonly rejected: readonly string[] }
  | { readonly kind: 'losses'; readonly reports: readonly LossReport[] }
  | { readonly kind: 'weights'; readonly adapter: number; readonly stage: number; readonly weights: readonly NamedArray[] }
  | { readonly kind: 'checkpoint'; readonly adapter: number; readonly stage: number; readonly state: AdapterState }
  /** Live: forwards and backwards that the rank has begun so far. */
  | { readonly kind: 'progress'; readonly passes: number }
  /** Live: a step is made; the most that the adapter held on the stage since the step before, and the pieces of its mini-batch in flight then. */
  | { readonly kind: 'stepped'; readonly stage: number; readonly adapter: number; readonly iteration: number; readonly heldBytes: number; readonly pieces: readonly number[] }
  /** Live: an adapter is off the stage, with its state. */
  | { readonly kind: 'left'; readonly stage: number; readonly adapter: number; readonly state: AdapterState }
  /** Live: what was recorded since the last report. */
  | { readonly kind: 'recorded'; readonly spans: SpanTable; readonly memory: MemoryTable }
  /** Iterations to which each adapter will get, in answer to `halt`. */
  | { readonly kind: 'limits'; readonly iterations: readonly number[] }
  | { readonly kind: 'done'; readonly spans: SpanTable; readonly memory: MemoryTable }
  | { readonly kind: 'failed'; readonly error: ExecError };

/** A rank's end of its line to the coordinator. `next` rejects when the line is lost. */
export interface ControlPort {
  readonly send: (message: FromRank) => void;
  readonly next: () => Promise<ToRank>;
}
