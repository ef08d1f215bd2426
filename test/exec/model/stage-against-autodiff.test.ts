import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../../exec/backend/backend.ts';
import type { NamedArray } from '../../../exec/stage.ts';
import { BACKENDS, openOrThrow } from './backends.ts';
import { naiveLossAndGradients } from './naive-llama.ts';
import { appliedGradients, descent, largestEntry, openPipeline, relativeDifference } from './pipeline.ts';
import {
  arbitraryAdapter,
  arbitraryModel,
  arbitraryRows,
  batchOf,
  partOf,
  randomRow,
  randomValues,
  randomWeights,
  setupOf,
} from './tiny-models.ts';

const arbitraryCase = fc.record({
  model: arbitraryModel,
  parts: fc.array(fc.record({ adapter: arbitraryAdapter, rows: arbitraryRows }), { minLength: 1, maxLength: 3 }),
  cuts: fc.uniqueArray(fc.integer({ min: 1, max: 2 }), { maxLength: 2 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
});

/** B starts at zero (VeRA's b too); a random one gives A a gradient too, and parts DoRA's magnitude from the norm. */
const withRandomB = (weights: readonly NamedArray[], seed: number): readonly NamedArray[] =>
  weights.map((array, index) =>
    /lora_B|lambda_b/.test(array.name) ? { ...array, values: randomValues(array.values.length, seed + index, 0.5) } : array,
  );

describe.each(BACKENDS)('a pipeline on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });

  test('gives the losses and gradients of the naive model under automatic differentiation', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryCase, async ({ model, parts, cuts, seed }) => {
        await tf.setBackend(backend.name);
        const weights = randomWeights(model, seed);
        const pipeline = await openPipeline(
          backend,
          model,
          weights,
          cuts.filter((cut) => cut < model.layerCount).sort(),
        );
        const batch = batchOf(
          0,
          parts.map(({ rows }, index) =>
            partOf(
              index,
              rows.map(({ length, prompt }, row) => randomRow(model, length, prompt, seed + 100 * index + 10 * row)),
            ),
          ),
        );
        const setups = parts.map(({ adapter }, index) => setupOf(index, adapter, { optimizer: descent }));
        for (const setup of setups) {
          pipeline.load(setup);
          const initial = withRandomB(await pipeline.weights(setup.index), seed);
          pipeline.stages.forEach((stage) => {
            stage.release(setup.index);
            stage.load(setup, initial);
          });
        }
        const before = await Promise.all(setups.map(({ index }) => pipeline.weights(index)));
        const losses = await pipeline.forward(batch);
        pipeline.backward(0);
        setups.forEach(({ index }) => pipeline.step(index));
        const after = await Promise.all(setups.map(({ index }) => pipeline.weights(index)));
        pipeline.dispose();

        await tf.setBackend('cpu');
        for (const [index, setup] of setups.entries()) {
          const { rows, lossScale } = batch.parts[index]!;
          const expected = naiveLossAndGradients({
            model,
            weights,
            setup,
            adapter: before[index]!,
            rows,
            lossScale,
            dropoutStep: 0,
          });
          expect(losses[index]!.loss).toBeCloseTo(expected.loss, 4);
          const largest = Math.max(...[...expected.gradients.values()].map(largestEntry));
          for (const [key, gradient] of appliedGradients(before[index]!, after[index]!)) {
            // Both sides are float32: half a unit in the last place of the weights moves the gradients of an unlucky
            // draw by 1e-3. A forgotten factor is far larger.
            const floor = Math.max(largest / 10, 1e-2);
            expect(relativeDifference(gradient, expected.gradients.get(key)!, floor), key).toBeLessThan(5e-3);
          }
        }
      }),
      { numRuns: name === 'webgpu' ? 3 : 20 },
    );
  }, 60_000);
});
