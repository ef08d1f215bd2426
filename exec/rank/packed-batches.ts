import { partsOf, type MicrobatchTable } from '../../core/plan/plan.ts';
import type { RowSource } from '../data/row-source.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { ObservedMicrobatch } from './observer.ts';

/** Rows of one adapter; `heldout` is null for a job without held-out rows, which no microbatch asks for. */
export interface AdapterRows {
  readonly training: RowSource;
  readonly heldout: RowSource | null;
}

type RowsOf = (adapter: number) => AdapterRows | undefined;

/** Makes the batch of a microbatch from the adapters' rows. */
export const packBatch = (microbatch: number, { parts, forwardOnly }: ObservedMicrobatch, rowsOf: RowsOf): PackedBatch => ({
  microbatch,
  parts: parts.map(({ adapter, iteration, index }) => {
    const source = forwardOnly ? rowsOf(adapter)?.heldout : rowsOf(adapter)?.training;
    if (source === undefined || source === null) throw new Error(`microbatch ${microbatch}: adapter ${adapter} has no rows`);
    // Held-out rows are the same in every iteration.
    const turn = forwardOnly ? 0 : iteration;
    return { adapter, rows: source.rows(turn, index), lossScale: source.lossScale(turn) };
  }),
});

/** A table's microbatches one by one. */
export const microbatchesOf =
  (table: MicrobatchTable): ((microbatch: number) => ObservedMicrobatch) =>
  (microbatch) => ({ parts: partsOf(table, microbatch), forwardOnly: table.forwardOnly[microbatch] === 1 });
