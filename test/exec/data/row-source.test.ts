import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sizeOfRows } from '../../../core/workload.ts';
import { shuffleRows, sortRows } from '../../../exec/data/row-order.ts';
import { heldoutRows, trainingRows, type RowSource } from '../../../exec/data/row-source.ts';
import { buildRowTable, countTargets, type RowTable } from '../../../exec/data/row-table.ts';
import { blockSquares } from '../../../exec/model/batch-layout.ts';
import { NO_TARGET, type Row } from '../../../exec/packed-batch.ts';

/** Row i has i + 2 tokens, all of them equal to i, and i + 1 targets. */
const numberedRow = (i: number): Row => ({
  tokens: new Int32Array(i + 2).fill(i),
  targets: new Int32Array(i + 2).fill(i).fill(NO_TARGET, i + 1),
});
const numberedRows = (count: number): RowTable => buildRowTable(Array.from({ length: count }, (_, i) => numberedRow(i)));

const rowNumbers = (source: RowSource, iteration: number): number[] =>
  Array.from({ length: source.microbatches }, (_, index) => source.rows(iteration, index))
    .flat()
    .map((row) => row.tokens[0]!);

const runs = fc.record({
  rowCount: fc.integer({ min: 1, max: 30 }),
  batchSize: fc.integer({ min: 1, max: 9 }),
  iterations: fc.integer({ min: 1, max: 12 }),
  seed: fc.integer(),
});

describe('the order of training rows', () => {
  it('is a permutation of the rows in every epoch', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer(), fc.nat(5), (rowCount, seed, epoch) => {
        const order = shuffleRows(rowCount, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: rowCount }, (_, i) => i));
      }),
    );
  });

  it('depends on seed and epoch and on nothing else', () => {
    expect(shuffleRows(40, 7, 2)).toEqual(shuffleRows(40, 7, 2));
    expect(shuffleRows(40, 7, 2)).not.toEqual(shuffleRows(40, 7, 3));
    expect(shuffleRows(40, 7, 2)).not.toEqual(shuffleRows(40, 8, 2));
  });
});

describe('rows ordered by length', () => {
  const lengthsOf = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 });

  it('are a permutation whose lengths never grow', () => {
    fc.assert(
      fc.property(lengthsOf, fc.integer(), fc.nat(3), (lengths, seed, epoch) => {
        const order = [...sortRows(lengths, seed, epoch)];
        expect(order.map((row) => lengths[row]!)).toEqual([...lengths].sort((a, b) => b - a));
        expect(new Set(order).size).toBe(lengths.length);
      }),
    );
  });

  it('are shuffled among rows of the same length, from seed and epoch', () => {
    const same = Array.from({ length: 40 }, () => 3);
    expect(sortRows(same, 7, 1)).toEqual(shuffleRows(40, 7, 1));
  });

  it('are what training takes when the job asks for it', () => {
    const order = { batchSize: 2, microbatches: 1, iterations: 4, seed: 1, order: 'length' } as const;
    const source = trainingRows(numberedRows(4), order);
    expect([0, 1, 2, 3].map((iteration) => rowNumbers(source, iteration))).toEqual([[3, 2], [1, 0], [3, 2], [1, 0]]);
  });
});

describe('training rows', () => {
  it('run through whole shuffled epochs, every mini-batch full', () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 4 }), ({ rowCount, batchSize, iterations, seed }, pieces) => {
        const microbatches = Math.min(pieces, batchSize);
        const source = trainingRows(numberedRows(rowCount), { batchSize, microbatches, iterations, seed, order: 'shuffled' });
        const seen = Array.from({ length: iterations }, (_, i) => rowNumbers(source, i));
        expect(seen.every((batch) => batch.length === batchSize)).toBe(true);
        const epochs = Array.from({ length: Math.ceil((iterations * batchSize) / rowCount) }, (_, e) => shuffleRows(rowCount, seed, e));
        expect(seen.flat()).toEqual(epochs.flatMap((order) => [...order]).slice(0, iterations * batchSize));
      }),
    );
  });

  it('are the same rows of a mini-batch however many pieces it is split into and in whatever order they are asked for', () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 4 }), ({ rowCount, batchSize, iterations, seed }, pieces) => {
        const table = numberedRows(rowCount);
        const whole = trainingRows(table, { batchSize, microbatches: 1, iterations, seed, order: 'shuffled' });
        const split = trainingRows(table, { batchSize, microbatches: Math.min(pieces, batchSize), iterations, seed, order: 'shuffled' });
        for (let iteration = iterations - 1; iteration >= 0; iteration--) {
          expect(rowNumbers(split, iteration)).toEqual(rowNumbers(whole, iteration));
          expect(split.lossScale(iteration)).toBe(whole.lossScale(iteration));
        }
      }),
    );
  });

  it('have the sizes planning is told and a loss scale of one over the targets of the mini-batch', () => {
    const source = trainingRows(numberedRows(11), { batchSize: 5, microbatches: 2, iterations: 3, seed: 1, order: 'shuffled' });
    for (let iteration = 0; iteration < 3; iteration++) {
      const batch = [0, 1].flatMap((index) => source.rows(iteration, index));
      expect(source.lossScale(iteration)).toBe(1 / batch.map(countTargets).reduce((a, b) => a + b));
      const rows = source.rows(iteration, 1);
      const targets = rows.map(countTargets).reduce((a, b) => a + b);
      const lengths = rows.map((row) => row.tokens.length);
      expect(source.part(iteration, 1)).toEqual({ ...sizeOfRows(lengths), targets, blockSquares: blockSquares(lengths) });
    }
  });
});

describe('held-out rows', () => {
  it('are one iteration in file order with the last microbatch smaller', () => {
    const source = heldoutRows(numberedRows(7), 3);
    expect([source.iterations, source.microbatches]).toEqual([1, 3]);
    expect([0, 1, 2].map((index) => source.rows(0, index).map((row) => row.tokens[0]))).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(source.lossScale(0)).toBe(1 / (1 + 2 + 3 + 4 + 5 + 6 + 7));
  });
});
