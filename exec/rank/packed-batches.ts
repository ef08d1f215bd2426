import { partsOf, type MicrobatchTable } from '../../core/plan/plan.ts';
import type { RowSource } from '../data/row-source.ts';
import type { PackedBatch } from '../packed-batch.ts';

/** Makes the batch of any microbatch of a table from the adapters' rows, which stand in plan order. */
export const createBatchMaker =
  (table: MicrobatchTable, sources: readonly (RowSource | null)[]): ((microbatch: number) => PackedBatch) =>
  (microbatch) => ({
    microbatch,
    parts: partsOf(table, microbatch).map(({ adapter, iteration, index }) => {
      const source = sources[adapter];
      if (source === undefined || source === null) throw new Error(`microbatch ${microbatch}: adapter ${adapter} has no rows`);
      return { adapter, rows: source.rows(iteration, index), lossScale: source.lossScale(iteration) };
    }),
  });
