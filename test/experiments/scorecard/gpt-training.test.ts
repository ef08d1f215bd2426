import { describe, expect, test } from 'vitest';
import { parse } from 'csv-parse/sync';
import { allReduceNs, readAllReduces } from '../../../experiments/scorecard/gpt-training/all-reduce.ts';
import { gptTraining } from '../../../experiments/scorecard/gpt-training/data-set.ts';
import { fitGpt } from '../../../experiments/scorecard/gpt-training/fit.ts';
import type { GptAssumptions } from '../../../experiments/scorecard/gpt-training/gpt-cost.ts';
import { BACKWARD, FORWARD, headWork, layerWork, parametersOf } from '../../../experiments/scorecard/gpt-training/gpt-work.ts';
import { gptMachine } from '../../../experiments/scorecard/gpt-training/simulate-run.ts';
import { readShipped } from '../../../experiments/scorecard/shipped-file.ts';
import { summarizeErrors } from '../../../experiments/scorecard/errors.ts';
import { divideRows } from '../../../experiments/scorecard/split-rows.ts';

const dataSet = gptTraining();
const { fit } = divideRows(dataSet.rows, dataSet.split);

/** What the rows to fit on say under other assumptions than those of the scorecard. */
const fitUnder = (assumptions: GptAssumptions) => {
  const fitted = fitGpt(gptMachine(readAllReduces(), assumptions))(fit);
  const points = fit.map(({ id, input, measured }) => ({ id, measured: measured.iteration!, predicted: fitted.predict(input).iteration }));
  return { mean: summarizeErrors(points)!.mean, shares: fitted.constants.slice(0, 2).map(({ value }) => value) };
};

/** The same under the scorecard's. */
const committed = () => {
  const scores = JSON.parse(readShipped('scorecard.json')) as readonly {
    readonly name: string;
    readonly constants: readonly { readonly value: number }[];
    readonly measures: readonly { readonly fit: { readonly mean: number } }[];
  }[];
  const { constants, measures } = scores.find(({ name }) => name === 'gpt-training')!;
  return { mean: measures[0]!.fit.mean, shares: constants.slice(0, 2).map(({ value }) => value) };
};

describe('GPT training on A100s', () => {
  test('a quarter of the rows is there to fit on', () => {
    expect(dataSet.rows).toHaveLength(708);
    expect(fit).toHaveLength(177);
  });

  test('the rows to fit on speak for fp16 gradients', () => {
    expect(fitUnder({ recompute: false, gradientBytes: 4 }).mean).toBeGreaterThan(committed().mean);
  }, 120_000);

  test('recomputation would need more than an A100 has; without it, rates are below measured ones', () => {
    // The best of Vidur's 1,331 measured products on A100s reaches 0.855 of the data sheet.
    const [product, memory] = fitUnder({ recompute: true, gradientBytes: 2 }).shares;
    expect(product).toBeGreaterThan(0.855);
    expect(memory).toBeGreaterThan(1);
    const [chosenProduct, chosenMemory] = committed().shares;
    expect(chosenProduct).toBeLessThan(0.855);
    expect(chosenMemory).toBeLessThan(0.9);
  }, 120_000);

  test('a layer and its head have 6 FLOP per weight and token, and 12 · length · hidden for attention', () => {
    const shape = { hidden: 64, heads: 4, rows: 3, length: 32, tensorParallel: 1 };
    const flops = (of: typeof layerWork): number => of(shape, FORWARD).productFlops + of(shape, BACKWARD).productFlops;
    const tokens = 3 * 32;
    expect(flops(layerWork)).toBe(6 * parametersOf(shape, { layers: 1, embedding: false }) * tokens + 12 * 32 * 64 * tokens);
    expect(flops(headWork)).toBe(6 * parametersOf(shape, { layers: 0, embedding: true }) * tokens);
  });

  test('all-reduces take the measured time at measured sizes, something between in between, and keep their rate beyond', () => {
    const table = readAllReduces();
    const rows = parse(readShipped('gpt-training/all-reduce.csv'), { columns: true, comment: '#' }) as unknown as readonly Record<string, string>[];
    for (const { gpus, bytes, timeUs } of rows) expect(allReduceNs(table, Number(gpus), Number(bytes))).toBeCloseTo(1e3 * Number(timeUs), 3);
    const largest = 2 ** 30;
    expect(allReduceNs(table, 4, 2 * largest)).toBe(2 * allReduceNs(table, 4, largest));
    expect(allReduceNs(table, 4, 1)).toBe(allReduceNs(table, 4, 2 ** 20));
    const between = allReduceNs(table, 8, 1.5 * 2 ** 27);
    expect(between).toBeGreaterThan(allReduceNs(table, 8, 2 ** 27));
    expect(between).toBeLessThan(allReduceNs(table, 8, 2 ** 28));
    expect(allReduceNs(table, 1, 2 ** 20)).toBe(0);
    expect(() => allReduceNs(table, 9, 2 ** 20)).toThrow('no all-reduce among 9 devices was measured');
  });
});
