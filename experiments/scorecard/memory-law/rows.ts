import type { JobSize } from '../../../core/scheduler/memory-law.ts';
import type { Observation } from '../data-set.ts';
import { ledgerGB } from './ledger.ts';

const FIT_ROWS = [1, 2, 4, 8, 16];
const FIT_LENGTHS = [128, 512, 2048];
const TEST_ROWS = [3, 6, 12];
const TEST_LENGTHS = [64, 256, 384, 1024, 1536];

const grid = (rows: readonly number[], lengths: readonly number[]): JobSize[] =>
  rows.flatMap((count) => lengths.map((length) => ({ rows: count, length })));

export const readLedger = (): readonly Observation<JobSize, 'memoryGB'>[] =>
  [...grid(FIT_ROWS, FIT_LENGTHS), ...grid(TEST_ROWS, TEST_LENGTHS)].map((input) => ({
    id: `${input.rows}x${input.length}`,
    input,
    measured: { memoryGB: ledgerGB(input) },
  }));
