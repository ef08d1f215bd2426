import { profile } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ModuleName } from '../../../core/model/model.ts';
import { openOrThrow } from './backends.ts';
import { type Pipeline, openPipeline } from './pipeline.ts';
import { batchOf, partOf, randomRow, randomWeights, setupOf, tinyModel } from './tiny-models.ts';

const RANK = 2;
const model = tinyModel({ layerCount: 1, hiddenSize: 14, intermediateSize: 22 });

/** Right-hand sides of all products that a call runs, as `rows×columns`. */
const productsOf = async (run: () => void): Promise<string[]> => {
  const { kernels } = await profile(() => {
    run();
    return [];
  });
  return kernels.filter(({ name }) => name === 'BatchMatMul').map(({ inputShapes }) => inputShapes[1]!.join('×'));
};

const count = (products: readonly string[], wanted: string): number =>
  products.filter((shape) => shape === wanted).length;

describe('products', () => {
  let backend: Awaited<ReturnType<typeof openOrThrow>>;
  beforeAll(async () => {
    backend = await openOrThrow('cpu');
  });

  const open = async (adapters: number, targetModules: readonly ModuleName[]): Promise<Pipeline> => {
    const pipeline = await openPipeline(backend, model, randomWeights(model, 1));
    for (let adapter = 0; adapter < adapters; adapter++) pipeline.load(setupOf(adapter, { rank: RANK, targetModules }));
    return pipeline;
  };

  const batch = (adapters: number) =>
    batchOf(
      0,
      Array.from({ length: adapters }, (_, adapter) => partOf(adapter, [randomRow(model, 4, 1, adapter)])),
    );

  test.each([1, 3])(
    'with a frozen weight run once for all rows of %i adapters, low-rank ones once for each',
    async (adapters) => {
      const pipeline = await open(adapters, ['gate_proj']);
      const forward = await productsOf(() => pipeline.stages[0]!.forward(batch(adapters), null, { keep: true }));
      expect(count(forward, '14×22')).toBe(2);
      expect(count(forward, '22×14')).toBe(1);
      expect(count(forward, `14×${RANK}`)).toBe(adapters);
      expect(count(forward, `${RANK}×22`)).toBe(adapters);
      const backward = await productsOf(() => pipeline.stages[0]!.backward(0, null));
      expect(count(backward, '14×22')).toBe(1);
      expect(count(backward, `22×${RANK}`)).toBe(adapters);
      pipeline.dispose();
    },
  );

  test('below the lowest adapter of the first stage do not run', async () => {
    const pipeline = await open(1, ['down_proj']);
    pipeline.stages[0]!.forward(batch(1), null, { keep: true });
    const backward = await productsOf(() => expect(pipeline.stages[0]!.backward(0, null)).toBeNull());
    // The LM head, ∇y·B, and the gradients of A and B.
    expect(backward).toHaveLength(4);
    expect(backward[0]).toBe('17×14');
    pipeline.dispose();
  });
});
