import { type Tensor2D, type Tensor3D, tensor1d, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { type LowRankOperands, backwardLowRank, forwardLowRank } from '../../../exec/adapter/low-rank.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import { leftOperand } from '../../../exec/backend/products.ts';
import {
  type AttentionContext,
  backwardAttention,
  createAttentionContext,
  forwardAttention,
} from '../../../exec/model/attention.ts';
import { frozenLinear } from '../../../exec/model/frozen-linear.ts';
import { layOutBatch } from '../../../exec/model/batch-layout.ts';
import { backwardHead, forwardHead } from '../../../exec/model/loss-head.ts';
import { backwardRmsNorm, forwardRmsNorm } from '../../../exec/model/rms-norm.ts';
import { halfRotation, rotaryFrequencies, rotate, rotateBack, rotationOf } from '../../../exec/model/rope.ts';
import { backwardSwiglu, forwardSwiglu } from '../../../exec/model/swiglu.ts';
import { READABLE, openOrThrow } from './backends.ts';
import { batchOf, partOf, randomRow, randomValues, tinyModel } from './tiny-models.ts';

/** A function of one array with its hand-written gradient for a given gradient of its output. */
interface Differentiable {
  readonly at: Float32Array;
  readonly output: (x: Float32Array) => Float32Array;
  readonly gradient: (outputGradient: Float32Array) => Float32Array;
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, index) => sum + value * b[index]!, 0);

const DISTANCE = 1e-2;

/**
 * Compares slopes along random directions with central differences. Float32 outputs near one leave 1e-7/DISTANCE of
 * noise and the third derivative DISTANCE² of error: about 1e-4 of the gradient's length; a forgotten term is far larger.
 */
const expectRightGradient = ({ at, output, gradient }: Differentiable): void => {
  const weights = randomValues(output(at).length, 7);
  const exact = gradient(weights);
  expect(exact.length).toBe(at.length);
  const length = Math.sqrt(dot(exact, exact));
  expect(length).toBeGreaterThan(0);
  for (const seed of [1, 2, 3]) {
    const direction = randomValues(at.length, seed);
    const moved = (sign: number): number =>
      dot(output(at.map((value, index) => value + sign * DISTANCE * direction[index]!)), weights);
    const slope = (moved(1) - moved(-1)) / (2 * DISTANCE);
    expect(Math.abs(slope - dot(exact, direction)) / length).toBeLessThan(2e-3);
  }
};

const data = (tensor: { dataSync: () => unknown }): Float32Array => tensor.dataSync() as Float32Array;

const model = tinyModel();
const ROWS = 5;

describe.each(READABLE)('against finite differences on %s, the gradient is right of', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });

  test('the RMS norm', () => {
    const weight = tensor1d(randomValues(8, 1).map((value) => 1 + value / 2));
    const matrix = (values: Float32Array): Tensor2D => tensor2d(values, [ROWS, 8]);
    const at = randomValues(ROWS * 8, 2);
    expectRightGradient({
      at,
      output: (x) => data(forwardRmsNorm(matrix(x), weight, 1e-5).output),
      gradient: (g) => data(backwardRmsNorm(forwardRmsNorm(matrix(at), weight, 1e-5).saved, weight, matrix(g))),
    });
  });

  test.each(['gate', 'up'] as const)('SwiGLU by its %s', (input) => {
    const matrix = (values: Float32Array): Tensor2D => tensor2d(values, [ROWS, 6]);
    const at = randomValues(ROWS * 6, 3, 3);
    const other = matrix(randomValues(ROWS * 6, 4, 2));
    const run = (x: Float32Array) =>
      input === 'gate' ? forwardSwiglu(matrix(x), other) : forwardSwiglu(other, matrix(x));
    expectRightGradient({
      at,
      output: (x) => data(run(x).output),
      gradient: (g) => data(backwardSwiglu(run(at).saved, matrix(g))[input]),
    });
  });

  test('rotary position embedding', () => {
    const rotation = rotationOf(
      rotaryFrequencies(model),
      Int32Array.from({ length: ROWS }, (_, token) => 3 * token),
    );
    const half = halfRotation(model.headSize);
    const heads = (values: Float32Array): Tensor3D => tensor3d(values, [2, ROWS, model.headSize]);
    expectRightGradient({
      at: randomValues(2 * ROWS * model.headSize, 5),
      output: (x) => data(rotate(heads(x), rotation, half)),
      gradient: (g) => data(rotateBack(heads(g), rotation, half)),
    });
  });

  describe('grouped-query attention by its', () => {
    const { headCount, keyValueHeadCount, headSize } = model;
    const rows = [3, 4, 1].map((length, index) => randomRow(model, length, 0, index + 1));
    const layout = layOutBatch(batchOf(0, [partOf(0, rows.slice(0, 2)), partOf(1, rows.slice(2))]));
    const widths = {
      queries: headCount * headSize,
      keys: keyValueHeadCount * headSize,
      values: keyValueHeadCount * headSize,
    };
    const inputs = Object.fromEntries(
      Object.entries(widths).map(([part, width], index) => [part, randomValues(layout.tokens * width, 10 + index)]),
    ) as Record<keyof typeof widths, Float32Array>;
    const context = (): AttentionContext =>
      createAttentionContext(model, layout, { frequencies: rotaryFrequencies(model), halfRotation: halfRotation(headSize) });

    test.each(['queries', 'keys', 'values'] as const)('%s', (input) => {
      const run = (x: Float32Array) => {
        const given = { ...inputs, [input]: x };
        const tensor = (part: keyof typeof widths): Tensor2D => tensor2d(given[part], [layout.tokens, widths[part]]);
        return forwardAttention(context(), tensor('queries'), tensor('keys'), tensor('values'));
      };
      expectRightGradient({
        at: inputs[input],
        output: (x) => data(run(x).output),
        gradient: (g) =>
          data(
            backwardAttention(context(), run(inputs[input]).saved, tensor2d(g, [layout.tokens, widths.queries]))[input],
          ),
      });
    });
  });

  test.each(['x', 'A', 'B'] as const)('the low-rank path with dropout by %s', (input) => {
    const [width, rank, out] = [6, 2, 5];
    const given = {
      x: randomValues(ROWS * width, 20),
      A: randomValues(width * rank, 21),
      B: randomValues(out * rank, 22),
    };
    const mask = tensor2d(
      randomValues(ROWS * width, 23).map((value) => (value > 0 ? 2 : 0)),
      [ROWS, width],
    );
    const operands = ({ A, B }: typeof given): LowRankOperands => {
      const transposed = (values: Float32Array, rows: number): Tensor2D =>
        tensor2d(
          values.map((_, i) => values[(i % rows) * rank + Math.floor(i / rows)]!),
          [rank, rows],
        );
      const scaled = (values: Float32Array): Float32Array => values.map((value) => 1.5 * value);
      return {
        scaledDown: tensor2d(scaled(A), [width, rank]),
        up: transposed(B, out),
        scaledUpTransposed: tensor2d(scaled(B), [out, rank]),
        downTransposed: transposed(A, width),
      };
    };
    const run = (changed: typeof given) => forwardLowRank(operands(changed), tensor2d(changed.x, [ROWS, width]), mask);
    const masked = given.x.map((value, i) => value * data(mask)[i]!);
    expectRightGradient({
      at: given[input],
      output: (x) => data(run({ ...given, [input]: x }).delta),
      gradient: (g) => {
        const gradient = tensor2d(g, [ROWS, out]);
        const result = backwardLowRank({
          operands: operands(given),
          saved: run(given).saved,
          input: leftOperand(tensor2d(masked, [ROWS, width])),
          gradient,
          needsInput: true,
        });
        return data(input === 'x' ? result.input! : result[input]);
      },
    });
  });

  test('final norm, LM head and cross-entropy', async () => {
    const batch = batchOf(0, [
      partOf(0, [randomRow(model, 4, 2, 1)]),
      partOf(1, [randomRow(model, 3, 0, 2), randomRow(model, 2, 2, 3)]),
    ]);
    const { hiddenSize, vocabularySize } = model;
    const tokens = 9;
    const table = randomValues(vocabularySize * hiddenSize, 30);
    const weights = {
      norm: tensor1d(randomValues(hiddenSize, 31)),
      normEpsilon: 1e-5,
      linear: frozenLinear(tensor2d(table, [vocabularySize, hiddenSize])),
    };
    const at = randomValues(tokens * hiddenSize, 32);
    const run = (x: Float32Array) => forwardHead(weights, tensor2d(x, [tokens, hiddenSize]), batch, backend);
    const total = async (x: Float32Array): Promise<number> =>
      (await run(x).losses).reduce((sum, { loss }) => sum + loss, 0);
    const exact = data(backwardHead(weights, run(at).saved, batch, tokens));
    const direction = randomValues(at.length, 33);
    const moved = (sign: number): Float32Array => at.map((value, index) => value + sign * DISTANCE * direction[index]!);
    const slope = ((await total(moved(1))) - (await total(moved(-1)))) / (2 * DISTANCE);
    expect(Math.abs(slope - dot(exact, direction)) / Math.sqrt(dot(exact, exact))).toBeLessThan(2e-3);
  });
});
