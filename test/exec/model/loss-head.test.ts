import { tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../../exec/backend/backend.ts';
import { frozenLinear } from '../../../exec/model/frozen-linear.ts';
import { type HeadWeights, backwardHead, forwardHead } from '../../../exec/model/loss-head.ts';
import { READABLE, openOrThrow } from './backends.ts';
import { largestEntry } from './pipeline.ts';
import { batchOf, partOf, randomValues } from './tiny-models.ts';

const HIDDEN = 6;
const VOCABULARY = 9;

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Loss of one row and its gradient in double precision, as the formulas stand. */
const inDoubles = (x: readonly number[], table: readonly (readonly number[])[], target: number) => {
  const rms = Math.sqrt(dot(x, x) / x.length + 1e-5);
  const normed = x.map((value) => value / rms);
  const logits = table.map((row) => dot(row, normed));
  const largest = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  const others = logits.reduce((sum, logit, i) => (i === target ? sum : sum + Math.exp(logit - largest)), 0);
  const slopes = logits.map((logit, i) => (i === target ? -others : Math.exp(logit - largest)) / total);
  const towards = normed.map((_, i) =>
    dot(
      slopes,
      table.map((row) => row[i]!),
    ),
  );
  const along = dot(towards, normed) / x.length;
  const loss = Math.log(total) + largest - logits[target]!;
  return { loss, gradient: towards.map((value, i) => (value - normed[i]! * along) / rms) };
};

describe.each(READABLE)('the loss head on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });

  const run = async (x: Float32Array, scale: number, choose: (logits: readonly number[]) => number, vocabulary = VOCABULARY) => {
    const flat = randomValues(vocabulary * HIDDEN, 1, scale);
    const table = Array.from({ length: vocabulary }, (_, i) => [...flat.subarray(i * HIDDEN, (i + 1) * HIDDEN)]);
    const target = choose(table.map((row) => dot(row, [...x])));
    const linear = frozenLinear(tensor2d(flat, [vocabulary, HIDDEN]));
    const weights: HeadWeights = { norm: tensor1d(new Float32Array(HIDDEN).fill(1)), normEpsilon: 1e-5, linear };
    const batch = batchOf(0, [partOf(0, [{ tokens: Int32Array.of(0), targets: Int32Array.of(target) }])]);
    const { losses, saved } = forwardHead(weights, tensor2d(x, [1, HIDDEN]), batch, backend);
    const gradient = backwardHead(weights, saved, batch, 1).dataSync() as Float32Array;
    return { loss: (await losses)[0]!.loss, gradient, expected: inDoubles([...x], table, target) };
  };

  test('keeps the digits of loss and gradient when the model is sure of its targets', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { loss, gradient, expected } = await run(randomValues(HIDDEN, seed), 6, (logits) =>
        logits.indexOf(Math.max(...logits)),
      );
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-6);
      const largest = largestEntry(Float32Array.from(expected.gradient));
      const error = largestEntry(gradient.map((value, i) => value - expected.gradient[i]!)) / largest;
      // The gradient is W·(p − onehot): for p near one, 1 − p is the loss, and known to a few roundings of p.
      expect(error * Math.min(expected.loss, 1)).toBeLessThan(1e-6);
    }
  });

  test('has no bias over a large vocabulary, whose many small terms a float32 sum would lose', async () => {
    let error = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const { loss, expected } = await run(randomValues(HIDDEN, seed), 4, () => 0, 49_155);
      error += (loss - expected.loss) / 8;
    }
    expect(Math.abs(error)).toBeLessThan(2e-6);
  }, 30_000);

  test('stays finite when the model is sure of another token', async () => {
    const { loss, gradient, expected } = await run(randomValues(HIDDEN, 2), 500, (logits) =>
      logits.indexOf(Math.min(...logits)),
    );
    expect(expected.loss).toBeGreaterThan(1000);
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-6);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});
