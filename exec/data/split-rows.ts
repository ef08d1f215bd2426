import { shuffleRows } from './row-order.ts';
import { buildRowTable, rowAt, type RowTable } from './row-table.ts';

/** Two parts of a data file, each in file order. */
export interface SplitRows {
  readonly training: RowTable;
  readonly heldout: RowTable;
}

/**
 * Holds out a fraction of the rows, chosen by the seed: at least one row, and at least one stays for training. Null for
 * a table of fewer than two rows.
 */
export const splitRows = (table: RowTable, fraction: number, seed: number): SplitRows | null => {
  if (table.length < 2) return null;
  const count = Math.min(Math.max(1, Math.round(table.length * fraction)), table.length - 1);
  const chosen = new Set(shuffleRows(table.length, seed, 0).subarray(0, count));
  const part = (heldout: boolean): RowTable =>
    buildRowTable(
      Array.from({ length: table.length }, (_, row) => row)
        .filter((row) => chosen.has(row) === heldout)
        .map((row) => rowAt(table, row)),
    );
  return { training: part(false), heldout: part(true) };
};
