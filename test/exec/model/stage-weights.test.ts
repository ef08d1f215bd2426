import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Model } from '../../../core/model/model.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import { openCheckpoint } from '../../../exec/checkpoint/checkpoint.ts';
import { elementBytes } from '../../../exec/checkpoint/element-type.ts';
import { stageTensors } from '../../../exec/checkpoint/model-tensors.ts';
import { writeSafetensors } from '../../../exec/checkpoint/write-safetensors.ts';
import { loadStageWeights } from '../../../exec/model/stage-weights.ts';
import { openOrThrow } from './backends.ts';
import { randomWeights, tinyModel } from './tiny-models.ts';

/** Bytes that open files gave away, header included. */
const readBytes = vi.hoisted(() => ({ count: 0 }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof original.open = async (...call) => {
    const file = await original.open(...call);
    const read = file.read.bind(file) as (...args: unknown[]) => Promise<{ bytesRead: number }>;
    const counted = async (...args: unknown[]): Promise<{ bytesRead: number }> => {
      const result = await read(...args);
      readBytes.count += result.bytesRead;
      return result;
    };
    return Object.assign(file, { read: counted });
  };
  return { ...original, open };
});

let backend: Backend;
let folder = '';
beforeAll(async () => {
  backend = await openOrThrow('cpu');
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(async () => {
  backend.dispose();
  await rm(folder, { recursive: true });
});

const bytesOfStage = (model: Model, first: number, end: number): number =>
  stageTensors(model, { first, end }).reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, elementBytes('F32')), 0);

/** Bytes read from the file while the weights of these layers are loaded. */
const loadAndCount = async (model: Model, first: number, end: number): Promise<number> => {
  const source = await openCheckpoint(folder);
  if (E.isLeft(source)) throw new Error(source.left[0].message);
  readBytes.count = 0;
  const weights = await loadStageWeights(model, { first, end }, source.right);
  if (E.isLeft(weights)) throw new Error(weights.left[0].message);
  weights.right.dispose();
  await source.right.close();
  return readBytes.count;
};

describe('a stage reads the bytes of its own layers and no others', () => {
  test.each<[string, Partial<Model>]>([
    ['Llama', {}],
    ['Mistral', { architecture: 'mistral', headSize: 4 }],
    ['Qwen2, with biases', { architecture: 'qwen2', attentionBias: true }],
    ['SmolLM2, whose first and last stage both hold the tied embedding', { tiedEmbeddings: true }],
  ])('%s', async (_, changes) => {
    const model = tinyModel({ layerCount: 3, ...changes });
    const weights = [...randomWeights(model, 1)].map(([name, { shape, values }]) => ({ name, shape, values }));
    await writeSafetensors(join(folder, 'model.safetensors'), weights);
    for (const [first, end] of [[0, 3], [0, 1], [1, 2], [2, 3]] as const) {
      expect(await loadAndCount(model, first, end)).toBe(bytesOfStage(model, first, end));
    }
    expect(bytesOfStage(model, 1, 2)).toBeLessThan(bytesOfStage(model, 0, 3) / 2);
  });
});
