import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLossBook } from '../../../exec/run/loss-book.ts';
import { createWeightCollector } from '../../../exec/run/weight-collector.ts';
import type { LossReport } from '../../../exec/rank/messages.ts';

const reports: readonly LossReport[] = [0, 1].flatMap((adapter) =>
  [0, 1, 2].flatMap((iteration) =>
    [0, 1, 2].map((index) => ({ adapter, iteration, index, evaluated: false, loss: 0.1 * (index + 1) + iteration + 10 * adapter })),
  ),
);

describe('the loss book', () => {
  it('adds a mini-batch up to the same number whatever order its microbatches are reported in', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...reports], { minLength: reports.length }), (shuffled) => {
        const losses: number[][] = [[], []];
        const told: string[] = [];
        const book = createLossBook({
          partsOf: () => 3,
          onIteration: (adapter, iteration, loss) => {
            told.push(`${adapter}.${iteration}`);
            losses[adapter]![iteration] = loss;
          },
        });
        shuffled.forEach(book.add);
        expect(told).toHaveLength(6);
        expect(losses).toEqual(
          [0, 10].map((base) => [0, 1, 2].map((iteration) => 0.1 + iteration + base + (0.2 + iteration + base) + (0.1 * 3 + iteration + base))),
        );
      }),
    );
  });

  it('keeps an iteration to itself until all its microbatches are there', () => {
    const told: number[] = [];
    const book = createLossBook({ partsOf: () => 2, onIteration: (_adapter, _iteration, loss) => told.push(loss) });
    book.add({ adapter: 0, iteration: 0, index: 1, evaluated: false, loss: 1 });
    expect(told).toEqual([]);
    book.add({ adapter: 0, iteration: 0, index: 0, evaluated: false, loss: 2 });
    expect(told).toEqual([3]);
  });
});

describe('the weight collector', () => {
  it('hands an adapter over once, with its stages in order', () => {
    const complete: unknown[] = [];
    const collect = createWeightCollector(2, (adapter, weights) => complete.push([adapter, weights.map(({ name }) => name)]));
    const part = (name: string) => [{ name, shape: [1], values: Float32Array.of(1) }];
    collect(0, 1, part('upper'));
    collect(1, 0, part('other'));
    collect(0, 0, part('lower'));
    expect(complete).toEqual([[0, ['lower', 'upper']]]);
  });
});
