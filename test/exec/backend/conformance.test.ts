import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../../exec/backend/backend.ts';
import { BACKENDS, openOrThrow } from '../model/backends.ts';
import { openPipeline } from '../model/pipeline.ts';
import { batchOf, partOf, randomRow, randomValues, randomWeights, setupOf, tinyModel } from '../model/tiny-models.ts';

/** Tensors that native TensorFlow itself counts; 0 on other backends. */
const nativeTensors = (): number => {
  const { getNumOfTFTensors } = tf.backend() as { getNumOfTFTensors?: () => number };
  return getNumOfTFTensors === undefined ? 0 : getNumOfTFTensors.call(tf.backend());
};

/** What the executor asks of a backend; the suite runs on every backend there is. */
describe.each(BACKENDS)('backend %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });
  afterAll(() => backend.dispose());

  const read = async (make: () => tf.Tensor): Promise<number[]> => {
    const tensor = tf.tidy(make);
    const values = [...(await backend.read(tensor))];
    tensor.dispose();
    return values;
  };

  const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
  const block = shape.chain((sizes) =>
    fc.tuple(
      ...sizes.map((size) =>
        fc
          .integer({ min: 0, max: size - 1 })
          .chain((begin) => fc.tuple(fc.constant(size), fc.constant(begin), fc.integer({ min: 1, max: size - begin }))),
      ),
    ),
  );

  test('cuts any block out of a tensor', async () => {
    await fc.assert(
      fc.asyncProperty(block, async (axes) => {
        const sizes = axes.map(([size]) => size);
        const total = sizes.reduce((product, size) => product * size, 1);
        const values = randomValues(total, 1);
        const inside = (index: number): boolean => {
          let rest = index;
          return axes.toReversed().every(([size, begin, count]) => {
            const place = rest % size;
            rest = Math.floor(rest / size);
            return place >= begin && place < begin + count;
          });
        };
        const cut = await read(() =>
          tf.slice(
            tf.tensor(values, sizes),
            axes.map(([, begin]) => begin),
            axes.map(([, , count]) => count),
          ),
        );
        expect(cut).toEqual([...values].filter((_, index) => inside(index)));
      }),
      { numRuns: 60 },
    );
  });

  test('gathers rows of a matrix, in any order and more than once', async () => {
    const rows = fc.integer({ min: 1, max: 6 });
    await fc.assert(
      fc.asyncProperty(
        rows.chain((count) =>
          fc.tuple(
            fc.constant(count),
            fc.integer({ min: 1, max: 4 }),
            fc.array(fc.integer({ min: 0, max: count - 1 }), { minLength: 1, maxLength: 8 }),
          ),
        ),
        async ([count, width, indices]) => {
          const values = randomValues(count * width, 2);
          const gathered = await read(() =>
            tf.gather(tf.tensor2d(values, [count, width]), tf.tensor1d(indices, 'int32')),
          );
          expect(gathered).toEqual(indices.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]));
        },
      ),
      { numRuns: 40 },
    );
    expect(await read(() => tf.gather(tf.tensor1d([5, 6, 7]), tf.tensor1d([2, 0], 'int32')))).toEqual([7, 5]);
    expect(await read(() => tf.gather(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor1d([1], 'int32'), 1))).toEqual([
      2, 4,
    ]);
  });

  test('multiplies matrices to float32 accuracy', async () => {
    const size = fc.integer({ min: 1, max: 40 });
    await fc.assert(
      fc.asyncProperty(size, size, size, async (m, k, n) => {
        const [a, b] = [randomValues(m * k, 3), randomValues(k * n, 4)];
        const product = await read(() => tf.matMul(tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])));
        product.forEach((value, index) => {
          const [row, column] = [Math.floor(index / n), index % n];
          let sum = 0;
          for (let i = 0; i < k; i++) sum += a[row * k + i]! * b[i * n + column]!;
          expect(Math.abs(value - sum)).toBeLessThan(1e-5);
        });
      }),
      { numRuns: 15 },
    );
  });

  test('gives masked scores a weight of exactly zero and huge ones no overflow', async () => {
    const weights = await read(() => tf.softmax(tf.tensor2d([0, 0, -1e30, 500, -500, -1e30], [2, 3])));
    expect(weights).toEqual([0.5, 0.5, 0, 1, 0, 0]);
  });

  test('gives memory back and says how much it holds', () => {
    const before = backend.memory();
    const tensor = tf.zeros([1000]);
    const during = backend.memory();
    expect(during.tensorCount - before.tensorCount).toBe(1);
    expect(during.tensorBytes - before.tensorBytes).toBe(4000);
    expect(during.reservedBytes).toBeGreaterThanOrEqual(4000);
    tensor.dispose();
    expect(backend.memory().tensorBytes).toBe(before.tensorBytes);
  });

  test('holds no more after an iteration of training than after the one before, and nothing once the stages are gone', async () => {
    const before = backend.memory();
    const model = tinyModel();
    const pipeline = await openPipeline(backend, model, randomWeights(model, 1), [1]);
    const parts = [partOf(0, [randomRow(model, 5, 1, 1)]), partOf(1, [randomRow(model, 3, 0, 2), randomRow(model, 4, 1, 3)])];
    parts.forEach(({ adapter }) => pipeline.load(setupOf(adapter, adapter === 1 ? { type: 'dora', dropout: 0.2 } : {})));
    const held: unknown[] = [];
    for (let step = 0; step < 3; step++) {
      await pipeline.forward(batchOf(step, parts));
      pipeline.backward(step);
      parts.forEach(({ adapter }) => pipeline.step(adapter));
      const { tensorCount, tensorBytes } = backend.memory();
      held.push({ tensorCount, tensorBytes, native: nativeTensors() });
    }
    expect(held[2]).toEqual(held[1]);
    pipeline.dispose();
    expect(backend.memory().tensorCount).toBe(before.tensorCount);
    expect(backend.memory().tensorBytes).toBe(before.tensorBytes);
  });

  test('opens again after it was disposed', async () => {
    backend.dispose();
    backend = await openOrThrow(name);
    expect(await read(() => tf.add(tf.tensor1d([1, 2]), 1))).toEqual([2, 3]);
  });
});
