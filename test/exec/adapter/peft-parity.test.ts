import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../../../core/model/config.ts';
import type { Problems } from '../../../core/problem.ts';
import { readPeftFolder } from '../../../exec/adapter/peft-folder.ts';
import { openBackend } from '../../../exec/backend/open-backend.ts';
import { openCheckpoint } from '../../../exec/checkpoint/checkpoint.ts';
import { createStage } from '../../../exec/model/create-stage.ts';
import { type BatchPart, NO_TARGET, type Row } from '../../../exec/packed-batch.ts';
import { adamW } from '../model/tiny-models.ts';

/** What make_peft_reference.py wrote beside each model. */
interface ReferenceRun {
  readonly steps: number;
  readonly batchSize: number;
  readonly microbatches: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly rows: readonly { readonly tokens: readonly number[]; readonly prompt: number }[];
  readonly losses: readonly number[];
}

const REFERENCE = join(import.meta.dirname, '../../reference');

const readJson = async (...path: string[]): Promise<unknown> =>
  JSON.parse(await readFile(join(REFERENCE, ...path), 'utf8'));

const right = <T>(result: E.Either<Problems | readonly string[], T>): T => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

/** Hugging Face shifts labels itself: position i predicts token i + 1, if that is not part of the prompt. */
const toRow = ({ tokens, prompt }: ReferenceRun['rows'][number]): Row => ({
  tokens: Int32Array.from(tokens),
  targets: Int32Array.from(tokens, (_, place) =>
    place + 1 >= Math.max(prompt, 1) ? (tokens[place + 1] ?? NO_TARGET) : NO_TARGET,
  ),
});

const countTargets = (rows: readonly Row[]): number =>
  rows.flatMap(({ targets }) => [...targets]).filter((target) => target !== NO_TARGET).length;

const splitBatch = (run: ReferenceRun, step: number): readonly BatchPart[] => {
  const rows = Array.from({ length: run.batchSize }, (_, index) =>
    toRow(run.rows[(step * run.batchSize + index) % run.rows.length]!),
  );
  const size = run.batchSize / run.microbatches;
  return Array.from({ length: run.microbatches }, (_, index) => ({
    adapter: 0,
    rows: rows.slice(index * size, (index + 1) * size),
    lossScale: 1 / countTargets(rows),
  }));
};

const trainLikeReference = async (name: string) => {
  const run = (await readJson(name, 'run.json')) as ReferenceRun;
  const model = right(parseModelConfig(name, await readJson(name, 'model', 'config.json')));
  const backend = right(await openBackend('wasm'));
  const checkpoint = right(await openCheckpoint(join(REFERENCE, name, 'model')));
  const stage = right(
    await createStage({ model, source: checkpoint, backend, firstLayer: 0, endLayer: model.layerCount }),
  );
  await checkpoint.close();
  const { adapter, weights } = right(await readPeftFolder(join(REFERENCE, name, 'initial'), model));
  const optimizer = adamW({ learningRate: run.learningRate, weightDecay: run.weightDecay });
  stage.load({ index: 0, name, adapter, optimizer, seed: 0 }, weights);
  const losses: number[] = [];
  for (let step = 0; step < run.steps; step++) {
    let loss = 0;
    for (const [index, part] of splitBatch(run, step).entries()) {
      const result = stage.forward({ microbatch: index, parts: [part] }, null, { keep: true });
      if (result.kind !== 'loss') throw new Error('a stage with all layers returns losses');
      loss += (await result.losses)[0]!.loss;
      stage.backward(index, null);
    }
    stage.step(0);
    losses.push(loss);
  }
  const trained = await stage.weights(0);
  stage.dispose();
  return { run, model, losses, trained };
};

const norm = (values: Float32Array): number => Math.hypot(...values);

describe.each(['llama-r8', 'qwen2-rslora-all'])('training %s', (name) => {
  test('follows transformers and PEFT step by step to the same adapter', async () => {
    const { run, model, losses, trained } = await trainLikeReference(name);
    losses.forEach((loss, step) => {
      const expected = run.losses[step]!;
      expect(Math.abs(loss - expected) / expected, `loss of step ${step + 1}`).toBeLessThan(1e-5);
    });
    const final = right(await readPeftFolder(join(REFERENCE, name, 'final'), model));
    for (const { name: key, values } of final.weights) {
      const own = trained.find((array) => array.name === key)!.values;
      const distance = norm(own.map((value, index) => value - values[index]!)) / norm(values);
      expect(distance, key).toBeLessThan(1e-4);
    }
  });
});
