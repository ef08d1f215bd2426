import { memory, tensor2d } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { MODULE_NAMES } from '../../../core/model/model.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import { createStage } from '../../../exec/model/create-stage.ts';
import { NO_TARGET, type BatchPart } from '../../../exec/packed-batch.ts';
import type { NamedArray } from '../../../exec/stage.ts';
import { READABLE, openOrThrow } from './backends.ts';
import { appliedGradients, descent, largestEntry, openPipeline, relativeDifference } from './pipeline.ts';
import { adamW, batchOf, partOf, randomRow, randomWeights, setupOf, sourceOf, tinyModel } from './tiny-models.ts';

const model = tinyModel({ layerCount: 3 });
const weights = randomWeights(model, 1);
const rowsOf = (adapter: number, lengths: readonly number[]) =>
  lengths.map((length, index) => randomRow(model, length, 1, 50 * adapter + index));
const PARTS: readonly BatchPart[] = [
  partOf(0, rowsOf(0, [5, 3])),
  partOf(1, rowsOf(1, [7])),
  partOf(2, rowsOf(2, [2, 2, 6])),
];

describe.each(READABLE)('a stage on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(name);
  });

  /** Trains the adapters of the parts together and returns each step's losses and the final weights, by adapter. */
  const train = async (
    parts: readonly BatchPart[],
    options: { cuts?: readonly number[]; recompute?: boolean } = {},
  ) => {
    const pipeline = await openPipeline(backend, model, weights, options.cuts, options.recompute);
    const adapters = parts.map(({ adapter }) => adapter);
    for (const adapter of adapters) {
      const targetModules =
        adapter === 1 ? (['down_proj', 'o_proj'] as const) : (['q_proj', 'v_proj', 'up_proj'] as const);
      pipeline.load(
        setupOf(
          adapter,
          { rank: adapter + 1, dropout: adapter === 2 ? 0.3 : 0, targetModules },
          { optimizer: adamW({ learningRate: 0.05 }) },
        ),
      );
    }
    const losses = new Map<number, number[]>(adapters.map((adapter) => [adapter, []]));
    for (let step = 0; step < 3; step++) {
      for (const { adapter, loss } of await pipeline.forward(batchOf(step, parts))) losses.get(adapter)!.push(loss);
      pipeline.backward(step);
      adapters.forEach((adapter) => pipeline.step(adapter));
    }
    const trained = new Map<number, readonly NamedArray[]>();
    for (const adapter of adapters) trained.set(adapter, await pipeline.weights(adapter));
    pipeline.dispose();
    return { losses, trained };
  };

  test('trains an adapter alike with and without neighbours', async () => {
    const together = await train(PARTS);
    for (const part of PARTS) {
      const alone = await train([part]);
      together.losses.get(part.adapter)!.forEach((loss, step) => {
        const own = alone.losses.get(part.adapter)![step]!;
        expect(Math.abs(loss - own) / own).toBeLessThan(1e-6);
      });
      together.trained.get(part.adapter)!.forEach(({ values }, index) => {
        expect(relativeDifference(values, alone.trained.get(part.adapter)![index]!.values)).toBeLessThan(1e-5);
      });
    }
  });

  test.each([[[1]], [[2]], [[1, 2]]])(
    'trains alike whether the model is whole or cut before layers %j',
    async (cuts) => {
      const whole = await train(PARTS);
      const cut = await train(PARTS, { cuts });
      expect(cut.losses).toEqual(whole.losses);
      expect(cut.trained).toEqual(whole.trained);
    },
  );

  test.each([[[]], [[1]]])('trains alike whether activations are kept or computed again, cut before layers %j', async (cuts) => {
    const kept = await train(PARTS, { cuts });
    const recomputed = await train(PARTS, { cuts, recompute: true });
    expect(recomputed.losses).toEqual(kept.losses);
    expect(recomputed.trained).toEqual(kept.trained);
  });

  test('computes activations again with the masks and magnitudes of the forward, for several microbatches in flight', async () => {
    const gradientsOf = async (recompute: boolean) => {
      const pipeline = await openPipeline(backend, model, weights, [1], recompute);
      const everywhere = { targetModules: MODULE_NAMES, dropout: 0.4 };
      pipeline.load(setupOf(0, { ...everywhere, type: 'dora' }, { optimizer: descent }));
      pipeline.load(setupOf(1, everywhere, { optimizer: descent }));
      const before = await pipeline.weights(0);
      for (const microbatch of [0, 1]) await pipeline.forward(batchOf(microbatch, PARTS.slice(0, 2)));
      for (const microbatch of [0, 1]) pipeline.backward(microbatch);
      pipeline.step(0);
      const gradients = appliedGradients(before, await pipeline.weights(0));
      pipeline.dispose();
      return gradients;
    };
    const gradients = await gradientsOf(true);
    expect(Math.max(...[...gradients.values()].map(largestEntry))).toBeGreaterThan(1e-3);
    expect(gradients).toEqual(await gradientsOf(false));
  });

  test('holds only the layers’ inputs between forward and backward when it computes activations again', async () => {
    const held = async (recompute: boolean): Promise<number> => {
      const pipeline = await openPipeline(backend, model, weights, [], recompute);
      PARTS.forEach(({ adapter }) => pipeline.load(setupOf(adapter)));
      const iterate = async (microbatch: number): Promise<number> => {
        const before = memory();
        await pipeline.forward(batchOf(microbatch, PARTS));
        const after = memory().numBytes;
        pipeline.backward(microbatch);
        PARTS.forEach(({ adapter }) => pipeline.step(adapter));
        if (microbatch > 0) expect(memory().numTensors).toBe(before.numTensors);
        return after - before.numBytes;
      };
      await iterate(0);
      const bytes = await iterate(1);
      pipeline.dispose();
      return bytes;
    };
    const tokens = PARTS.flatMap(({ rows }) => rows).reduce((sum, row) => sum + row.tokens.length, 0);
    const inputs = 4 * model.layerCount * tokens * model.hiddenSize;
    const [kept, recomputed] = [await held(false), await held(true)];
    expect(recomputed).toBeGreaterThanOrEqual(inputs);
    expect(recomputed).toBeLessThan(kept / 2);
  });

  test('accumulates the microbatches of a mini-batch to the gradient of the whole', async () => {
    const rows = rowsOf(0, [5, 3, 4]);
    const whole = partOf(0, rows);
    const gradientsOf = async (parts: readonly BatchPart[]) => {
      const pipeline = await openPipeline(backend, model, weights);
      pipeline.load(setupOf(0, { dropout: 0.2 }, { optimizer: descent }));
      const before = await pipeline.weights(0);
      for (const [microbatch, part] of parts.entries()) await pipeline.forward(batchOf(microbatch, [part]));
      parts.forEach((_, microbatch) => pipeline.backward(microbatch));
      pipeline.step(0);
      const gradients = appliedGradients(before, await pipeline.weights(0));
      pipeline.dispose();
      return gradients;
    };
    const expected = await gradientsOf([whole]);
    const split = await gradientsOf(rows.map((row) => ({ ...whole, rows: [row] })));
    const largest = Math.max(...[...expected.values()].map(largestEntry));
    expect(largest).toBeGreaterThan(1e-3);
    for (const [key, gradient] of split)
      expect(relativeDifference(gradient, expected.get(key)!, largest), key).toBeLessThan(1e-5);
  });

  test.each([[[]], [[1]], [[1, 2]]])('clips a gradient to the norm it has over all stages, cut before layers %j', async (cuts) => {
    const gradientOf = async (maxGradientNorm: number | null) => {
      const pipeline = await openPipeline(backend, model, weights, cuts);
      pipeline.load(setupOf(0, { targetModules: MODULE_NAMES }, { optimizer: { ...descent, maxGradientNorm } }));
      const before = await pipeline.weights(0);
      await pipeline.forward(batchOf(0, [PARTS[0]!]));
      pipeline.backward(0);
      const norm = await pipeline.clippedStep(0);
      const gradients = appliedGradients(before, await pipeline.weights(0));
      pipeline.dispose();
      return { norm, all: Float32Array.from([...gradients.values()].flatMap((values) => [...values])) };
    };
    const free = await gradientOf(null);
    expect(free.norm).toBeCloseTo(Math.hypot(...free.all), 5);
    const clipped = await gradientOf(free.norm / 4);
    expect(clipped.norm).toBe(free.norm);
    expect(relativeDifference(clipped.all, free.all.map((value) => value / 4))).toBeLessThan(1e-5);
    expect((await gradientOf(free.norm * 4)).all).toEqual(free.all);
  });

  test('evaluates without dropout, without keeping anything and without moving the next training masks', async () => {
    const pipeline = await openPipeline(backend, model, weights);
    pipeline.load(
      setupOf(0, { dropout: 0.5, targetModules: ['q_proj', 'down_proj'] }, { optimizer: adamW({ learningRate: 0.1 }) }),
    );
    const losses: number[][] = [];
    for (const evaluations of [0, 2]) {
      pipeline.stages[0]!.release(0);
      pipeline.load(
        setupOf(
          0,
          { dropout: 0.5, targetModules: ['q_proj', 'down_proj'] },
          { optimizer: adamW({ learningRate: 0.1 }) },
        ),
      );
      const seen: number[] = [];
      for (let step = 0; step < 3; step++) {
        for (let evaluation = 0; evaluation < evaluations; evaluation++) {
          const [first] = await pipeline.forward(batchOf(99, [PARTS[0]!]), false);
          const tensors = memory().numTensors;
          const [again] = await pipeline.forward(batchOf(99, [PARTS[0]!]), false);
          expect(again!.loss).toBe(first!.loss);
          expect(memory().numTensors).toBe(tensors);
        }
        seen.push((await pipeline.forward(batchOf(step, [PARTS[0]!])))[0]!.loss);
        pipeline.backward(step);
        pipeline.step(0);
      }
      losses.push(seen);
    }
    pipeline.dispose();
    expect(losses[1]).toEqual(losses[0]);
  });

  test('holds no more tensors after 50 iterations than after the first', async () => {
    const before = memory().numTensors;
    const pipeline = await openPipeline(backend, model, weights, [1]);
    for (const { adapter } of PARTS)
      pipeline.load(setupOf(adapter, { dropout: adapter === 0 ? 0.2 : 0, targetModules: ['k_proj', 'gate_proj'] }));
    const iterate = async (microbatch: number): Promise<number> => {
      await pipeline.forward(batchOf(microbatch, PARTS));
      pipeline.backward(microbatch);
      for (const { adapter } of PARTS) pipeline.step(adapter);
      return memory().numTensors;
    };
    const first = await iterate(0);
    for (let iteration = 1; iteration < 50; iteration++) expect(await iterate(iteration)).toBe(first);
    pipeline.dispose();
    expect(memory().numTensors).toBe(before);
  });

  test('gives everything back when it is disposed in the middle of microbatches', async () => {
    const before = memory().numTensors;
    const pipeline = await openPipeline(backend, model, weights, [2]);
    for (const { adapter } of PARTS) pipeline.load(setupOf(adapter));
    await pipeline.forward(batchOf(0, PARTS));
    await pipeline.forward(batchOf(1, PARTS));
    pipeline.backward(1);
    pipeline.dispose();
    expect(memory().numTensors).toBe(before);
  });

  test('keeps a NaN inside the adapter it came from', async () => {
    const pipeline = await openPipeline(backend, model, weights);
    PARTS.forEach(({ adapter }) => pipeline.load(setupOf(adapter, {}, { optimizer: descent })));
    const broken = (await pipeline.weights(1)).map((array) => ({ ...array, values: array.values.fill(NaN) }));
    pipeline.stages[0]!.release(1);
    pipeline.stages[0]!.load(setupOf(1, {}, { optimizer: descent }), broken);
    const losses = await pipeline.forward(batchOf(0, PARTS));
    pipeline.backward(0);
    PARTS.forEach(({ adapter }) => pipeline.step(adapter));
    expect(losses.map(({ loss }) => Number.isFinite(loss))).toEqual([true, false, true]);
    for (const adapter of [0, 2]) {
      expect((await pipeline.weights(adapter)).every(({ values }) => values.every(Number.isFinite))).toBe(true);
    }
    pipeline.dispose();
  });

  test('reports an adapter whose gradient is not finite, and no other', async () => {
    const reported: number[] = [];
    const stage = await createStage({
      model,
      source: sourceOf(weights),
      backend,
      firstLayer: 1,
      endLayer: 2,
      onNonFinite: (adapter) => reported.push(adapter),
    });
    if (E.isLeft(stage)) throw new Error('the stage did not load');
    const parts = PARTS.slice(0, 2);
    parts.forEach(({ adapter }) => stage.right.load(setupOf(adapter)));
    const tokens = parts.flatMap(({ rows }) => rows).reduce((sum, row) => sum + row.tokens.length, 0);
    const hidden = (last: number) =>
      tensor2d(
        Float32Array.from({ length: tokens * model.hiddenSize }, (_, i) =>
          i === tokens * model.hiddenSize - 1 ? last : 0.1,
        ),
        [tokens, model.hiddenSize],
      );
    const result = stage.right.forward(batchOf(0, parts), hidden(0.1), { keep: true });
    if (result.kind === 'hidden') result.hidden.dispose();
    stage.right.backward(0, hidden(Infinity))?.dispose();
    parts.forEach(({ adapter }) => stage.right.step(adapter));
    await new Promise(setImmediate);
    expect(reported).toEqual([1]);
    stage.right.dispose();
  });

  test('accepts rows without any target and single tokens', async () => {
    const pipeline = await openPipeline(backend, model, weights, [1]);
    pipeline.load(setupOf(0));
    const silent = { tokens: Int32Array.of(3, 4), targets: Int32Array.of(NO_TARGET, NO_TARGET) };
    const single = { tokens: Int32Array.of(5), targets: Int32Array.of(6) };
    expect(await pipeline.forward(batchOf(0, [{ adapter: 0, rows: [silent], lossScale: 1 }]))).toEqual([
      { adapter: 0, loss: 0 },
    ]);
    const before = await pipeline.weights(0);
    pipeline.backward(0);
    pipeline.step(0);
    expect(await pipeline.weights(0)).toEqual(before);
    const [mixed] = await pipeline.forward(batchOf(1, [{ adapter: 0, rows: [silent, single], lossScale: 1 }]));
    const [alone] = await pipeline.forward(batchOf(2, [{ adapter: 0, rows: [single], lossScale: 1 }]));
    expect(mixed!.loss).toBeGreaterThan(0);
    expect(mixed!.loss).toBeCloseTo(alone!.loss, 6);
    pipeline.dispose();
  });

  test('refuses calls out of order', async () => {
    const pipeline = await openPipeline(backend, model, weights);
    const [stage] = pipeline.stages;
    stage!.load(setupOf(0));
    const batch = batchOf(0, [PARTS[0]!]);
    expect(() => stage!.load(setupOf(0))).toThrow('adapter 0 is loaded already');
    expect(() => stage!.forward(batchOf(0, [PARTS[2]!]), null, { keep: true })).toThrow('adapter 2 is not loaded');
    expect(() => stage!.backward(0, null)).toThrow('microbatch 0 has no forward');
    expect(() => stage!.step(0)).toThrow('steps without a gradient');
    stage!.load(setupOf(1, {}, { optimizer: adamW({ maxGradientNorm: 1 }) }));
    expect(() => stage!.step(1)).toThrow('steps before the norm of its gradient is known');
    await pipeline.forward(batch);
    expect(() => stage!.forward(batch, null, { keep: true })).toThrow('microbatch 0 is in flight already');
    pipeline.dispose();
  });
});
