import { memory } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { MODULE_NAMES } from '../../../core/model/model.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import type { AdapterSetup, NamedArray } from '../../../exec/stage.ts';
import { READABLE, openOrThrow } from '../model/backends.ts';
import { openPipeline, relativeDifference } from '../model/pipeline.ts';
import { adamW, batchOf, partOf, randomRow, randomWeights, setupOf, tinyModel } from '../model/tiny-models.ts';

const model = tinyModel({ attentionBias: true });
const weights = randomWeights(model, 8);
const VERA = { type: 'vera', rank: 5, dropout: 0, projectionSeed: 3, initialScale: 0.5 } as const;

/** Unlike in kind, rank, targets, dropout, optimizer and schedule. */
const SETUPS: readonly AdapterSetup[] = [
  setupOf(0, { rank: 3, targetModules: ['q_proj', 'down_proj'] }, { optimizer: adamW({ learningRate: 0.05 }) }),
  setupOf(
    1,
    { type: 'dora', rank: 2, targetModules: MODULE_NAMES },
    { optimizer: adamW({ learningRate: 0.05, schedule: { type: 'cosine', warmup: 2 } }), iterations: 5 },
  ),
  setupOf(
    2,
    { ...VERA, targetModules: ['v_proj', 'up_proj', 'o_proj'] },
    {
      optimizer: {
        type: 'sgd',
        learningRate: 0.1,
        learningRateRatio: 1,
        maxGradientNorm: null,
        schedule: { type: 'linear', warmup: 0 },
        momentum: 0.9,
        weightDecay: 0.1,
      },
      iterations: 5,
    },
  ),
  setupOf(
    3,
    { type: 'dora', rank: 1, dropout: 0.3, targetModules: ['k_proj', 'o_proj', 'gate_proj'] },
    { optimizer: adamW({ learningRate: 0.01, learningRateRatio: 4 }) },
  ),
];
const PARTS = SETUPS.map(({ index }) => partOf(index, [randomRow(model, 4 + index, 1, index), randomRow(model, 6, 2, 50 + index)]));

describe.each(READABLE)('adapters of all kinds on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });

  /** Final weights of some of the adapters, trained as one group. */
  const train = async (indices: readonly number[], cuts: readonly number[]): Promise<readonly (readonly NamedArray[])[]> => {
    const pipeline = await openPipeline(backend, model, weights, cuts);
    indices.forEach((index) => pipeline.load(SETUPS[index]!));
    const held: number[] = [];
    for (let step = 0; step < 5; step++) {
      await pipeline.forward(batchOf(step, indices.map((index) => PARTS[index]!)));
      pipeline.backward(step);
      indices.forEach(pipeline.step);
      held.push(memory().numTensors);
    }
    expect(new Set(held.slice(1)).size, 'tensors held after each step').toBe(1);
    const trained = await Promise.all(indices.map(pipeline.weights));
    pipeline.dispose();
    return trained;
  };

  test('train in one group over two stages as each does alone on one', async () => {
    const before = memory().numTensors;
    const together = await train([0, 1, 2, 3], [1]);
    for (const { index } of SETUPS) {
      const [alone] = await train([index], []);
      const own = new Map(together[index]!.map((array) => [array.name, array.values]));
      for (const { name: key, values } of alone!) {
        expect(relativeDifference(own.get(key)!, values, 1e-2), key).toBeLessThan(1e-5);
      }
    }
    expect(memory().numTensors).toBe(before);
  });

  test('leave the base model’s output as it is before their first step', async () => {
    const pipeline = await openPipeline(backend, model, weights);
    pipeline.load(setupOf(9));
    SETUPS.forEach(pipeline.load);
    for (const part of PARTS) {
      const [fresh] = await pipeline.forward(batchOf(0, [part]), false);
      const [base] = await pipeline.forward(batchOf(0, [{ ...part, adapter: 9 }]), false);
      expect(Math.abs(fresh!.loss - base!.loss)).toBeLessThan(1e-6 * base!.loss);
    }
    pipeline.dispose();
  });
});
