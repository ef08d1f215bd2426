import { partsOf, type MicrobatchTable } from '../../core/plan/plan.ts';
import type { RowSource } from '../data/row-source.ts';
import type { PackedBatch } from '../packed-batch.ts';

/** Rows of one adapter; `heldout` is null for a job without held-out rows, which no microbatch asks for. */
export interface AdapterRows {
  readonly training: RowSource;
  readonly heldout: RowSource | null;
}

/** Makes the batch of any microbatch of a table from the adapters' rows, which stand in plan order. */
export const createBatchMaker =
  (table: MicrobatchTable, sources: readonly AdapterRows[]): ((microbatch: number) => PackedBatch) =>
  (microbatch) => ({
    microbatch,
    parts: partsOf(table, microbatch).map(({ adapter, iteration, index }) => {
      const isHeldout = table.forwardOnly[microbatch] === 1;
      const source = isHeldout ? sources[adapter]?.heldout : sources[adapter]?.training;
      if (source === undefined || source === null) throw new Error(`microbatch ${microbatch}: adapter ${adapter} has no rows`);
      // Held-out rows are the same in every iteration.
      const turn = isHeldout ? 0 : iteration;
      return { adapter, rows: source.rows(turn, index), lossScale: source.lossScale(turn) };
    }),
  });
