import { NO_TARGET, type Row } from '../packed-batch.ts';

/** All rows of a data file as columns: row i is `start[i]` up to `start[i + 1]` of tokens and targets. */
export interface RowTable {
  readonly length: number;
  readonly start: Uint32Array;
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

export const buildRowTable = (rows: readonly Row[]): RowTable => {
  const start = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => (start[i + 1] = start[i]! + row.tokens.length));
  const tokens = new Int32Array(start[rows.length]!);
  const targets = new Int32Array(tokens.length);
  rows.forEach((row, i) => {
    tokens.set(row.tokens, start[i]);
    targets.set(row.targets, start[i]);
  });
  return { length: rows.length, start, tokens, targets };
};

/** Views of one row; nothing is copied. */
export const rowAt = (table: RowTable, index: number): Row => ({
  tokens: table.tokens.subarray(table.start[index], table.start[index + 1]),
  targets: table.targets.subarray(table.start[index], table.start[index + 1]),
});

/** Length of a row in tokens. */
export const rowLength = (table: RowTable, index: number): number => table.start[index + 1]! - table.start[index]!;

/** Positions of a row that carry loss. */
export const countTargets = (row: Row): number => row.targets.reduce((sum, target) => sum + Number(target !== NO_TARGET), 0);
