import { streamOf, type Op } from '../../../core/plan/op.ts';
import { opsOf } from '../../../core/plan/plan.ts';
import type { PieceMicrobatch } from '../../../core/planners/plan-pieces.ts';
import type { LiveAdapter, LivePiece } from '../messages.ts';
import type { AdapterRows } from '../packed-batches.ts';
import type { OpSource, RunStream } from '../run-program.ts';
import { rowsOf } from '../session.ts';
import { createOpQueue, type OpQueue } from './op-queue.ts';

/** A program that grows while it runs, with what its ops refer to; what is through is forgotten. */
export interface LiveProgram {
  readonly source: OpSource;
  readonly add: (adapter: LiveAdapter) => void;
  readonly extend: (piece: LivePiece) => void;
  /** No piece follows. */
  readonly finish: () => void;
  readonly fail: (error: Error) => void;
  readonly adapterOf: (adapter: number) => LiveAdapter;
  readonly rowsOf: (adapter: number) => AdapterRows;
  readonly microbatchOf: (microbatch: number) => PieceMicrobatch;
  /** Iterations of an adapter before this one are through. */
  readonly forgetBefore: (adapter: number, iteration: number) => void;
  /** The adapter is off the rank. */
  readonly forget: (adapter: number) => void;
}

/** What the rank holds of one adapter. */
interface Entry {
  readonly adapter: LiveAdapter;
  readonly rows: AdapterRows;
  /** Its microbatches, in order of iterations. */
  readonly microbatches: { readonly iteration: number; readonly number: number }[];
}

/** `onTake`: told of every op that the compute stream begins with. */
export const createLiveProgram = (onTake: (op: Op) => void): LiveProgram => {
  const queues: Readonly<Record<RunStream, OpQueue>> = { compute: createOpQueue(onTake), send: createOpQueue(), receive: createOpQueue(), collective: createOpQueue() };
  const all = Object.values(queues);
  const entries = new Map<number, Entry>();
  const microbatches = new Map<number, PieceMicrobatch>();
  const entryOf = (adapter: number): Entry => {
    const entry = entries.get(adapter);
    if (entry === undefined) throw new Error(`adapter ${adapter} has not come, or is gone`);
    return entry;
  };
  const number = (microbatch: PieceMicrobatch): void => {
    microbatches.set(microbatch.number, microbatch);
    for (const { adapter, iteration } of microbatch.parts) entryOf(adapter).microbatches.push({ iteration, number: microbatch.number });
  };
  const queue = (op: Op): void => {
    const stream = streamOf(op.kind);
    if (stream === 'host') throw new Error(`${op.kind} runs on the host`);
    queues[stream].push(op);
    if (stream === 'collective') queues.compute.push(op);
  };
  return {
    source: (stream) => queues[stream],
    add: (adapter) => void entries.set(adapter.setup.index, { adapter, rows: rowsOf(adapter), microbatches: [] }),
    extend: (piece) => {
      piece.microbatches.forEach(number);
      for (const op of opsOf(piece.program)) queue(op);
    },
    finish: () => all.forEach(({ end }) => end()),
    fail: (error) => all.forEach(({ fail }) => fail(error)),
    adapterOf: (adapter) => entryOf(adapter).adapter,
    rowsOf: (adapter) => entryOf(adapter).rows,
    microbatchOf: (microbatch) => microbatches.get(microbatch)!,
    forgetBefore: (adapter, iteration) => {
      const { microbatches: own } = entryOf(adapter);
      const through = own.findIndex((each) => each.iteration >= iteration);
      for (const each of own.splice(0, through < 0 ? own.length : through)) microbatches.delete(each.number);
    },
    forget: (adapter) => {
      for (const each of entryOf(adapter).microbatches) microbatches.delete(each.number);
      entries.delete(adapter);
    },
  };
};
