import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeFolder } from '../../../exec/adapter/merge-folder.ts';
import { parameterLayout, peftShape } from '../../../exec/adapter/parameter-layout.ts';
import { readPeftFolder, writePeftFolder } from '../../../exec/adapter/peft-folder.ts';
import type { Adapter } from '../../../core/job.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import { openBackend } from '../../../exec/backend/open-backend.ts';
import { openCheckpoint } from '../../../exec/checkpoint/checkpoint.ts';
import { readModelConfig } from '../../../exec/checkpoint/model-folder.ts';
import { formatExecError } from '../../../exec/exec-error.ts';
import { generate, type Generated, type GenerateOptions } from '../../../exec/generate/generate.ts';
import { openLanguageModel } from '../../../exec/generate/language-model.ts';
import { MODEL_FOLDER } from '../demo.ts';
import { randomValues } from '../model/tiny-models.ts';

const REFERENCE = fileURLToPath(new URL('../../reference/', import.meta.url));
const CASES = ['llama-r8', 'qwen2-rslora-all'] as const;

const right = <A>(result: E.Either<unknown, A>): A => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

let backend: Backend;
let folder = '';
beforeAll(async () => {
  backend = right(await openBackend('cpu'));
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Logits after every prefix of some tokens, and the tensors left behind. */
const logitsOf = async (modelFolder: string, adapterFolder: string | null): Promise<Float32Array[]> => {
  const before = tf.memory().numTensors;
  const model = right(await readModelConfig(modelFolder));
  const source = right(await openCheckpoint(modelFolder));
  const adapter = adapterFolder === null ? null : right(await readPeftFolder(adapterFolder, model));
  const language = right(await openLanguageModel({ model, source, backend, adapter }));
  const tokens = [1, 5, 3, 9, 2];
  const logits: Float32Array[] = [];
  for (let length = 1; length <= tokens.length; length++) logits.push(await language.nextLogits(tokens.slice(0, length)));
  language.dispose();
  await source.close();
  expect(tf.memory().numTensors).toBe(before);
  return logits;
};

const worstDifference = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(...a.flatMap((values, row) => [...values].map((value, index) => Math.abs(value - b[row]![index]!))));

describe('the logits of the next token', () => {
  test.each(CASES)('with an adapter on %s are those of the merged model, and not the base’s', async (name) => {
    const [model, adapter, out] = [join(REFERENCE, name, 'model'), join(REFERENCE, name, 'final'), join(folder, name)];
    right(await mergeFolder({ adapter, model, out })());
    const adapted = await logitsOf(model, adapter);
    expect(worstDifference(adapted, await logitsOf(out, null))).toBeLessThan(1e-5);
    expect(worstDifference(adapted, await logitsOf(model, null))).toBeGreaterThan(1e-4);
  });
});

describe('an adapter of any kind', () => {
  const targetModules = ['q_proj', 'k_proj', 'up_proj', 'down_proj'] as const;
  test.each<Adapter>([
    { type: 'dora', rank: 3, alpha: 5, dropout: 0, targetModules },
    { type: 'vera', rank: 3, dropout: 0, targetModules, projectionSeed: 5, initialScale: 0.1 },
  ])('computes what the merged model does: $type', async (adapter) => {
    const modelFolder = join(REFERENCE, 'llama-r8', 'model');
    const model = right(await readModelConfig(modelFolder));
    const { segments } = parameterLayout(model, { first: 0, end: model.layerCount }, adapter);
    const weights = segments.map((segment, index) => {
      const shape = peftShape(segment);
      const values = randomValues(shape.reduce((product, size) => product * size), index, 0.5);
      return { name: segment.name, shape, values: segment.matrix === 'magnitude' ? values.map((value) => 1 + value) : values };
    });
    const [adapterFolder, out] = [join(folder, `${adapter.type}-adapter`), join(folder, `${adapter.type}-merged`)];
    right(await writePeftFolder(adapterFolder, { adapter, baseModel: 'tiny', weights }));
    right(await mergeFolder({ adapter: adapterFolder, model: modelFolder, out })());
    const adapted = await logitsOf(modelFolder, adapterFolder);
    expect(worstDifference(adapted, await logitsOf(out, null))).toBeLessThan(1e-5);
    expect(worstDifference(adapted, await logitsOf(modelFolder, null))).toBeGreaterThan(1e-4);
  });
});

describe('generating text', () => {
  const options: GenerateOptions = {
    modelFolder: MODEL_FOLDER,
    adapterFolder: null,
    prompt: '### Instruction:\ntwo plus five\n### Response:\n',
    chat: false,
    maximumTokens: 4,
    temperature: 0,
    seed: 1,
    backend: 'wasm',
  };
  const run = async (changes: Partial<GenerateOptions>): Promise<Generated> => {
    const generated = await generate({ ...options, ...changes })();
    if (E.isLeft(generated)) throw new Error(formatExecError(generated.left));
    return generated.right;
  };
  const problemOf = async (changes: Partial<GenerateOptions>): Promise<string> => {
    const generated = await generate({ ...options, ...changes })();
    return E.isLeft(generated) ? formatExecError(generated.left) : 'generated';
  };

  test('with temperature 0 takes the likeliest token whatever the seed', async () => {
    expect(await run({ seed: 2 })).toEqual(await run({ seed: 1 }));
  });

  test('with a temperature depends on the seed and on nothing else', async () => {
    const [once, again, other] = [await run({ temperature: 2 }), await run({ temperature: 2 }), await run({ temperature: 2, seed: 2 })];
    expect(again).toEqual(once);
    expect(other.text).not.toBe(once.text);
  });

  test('ends where the tokens asked for are used up', async () => {
    const { tokens, stopped } = await run({ temperature: 5, maximumTokens: 3 });
    expect([tokens.length, stopped]).toEqual([3, 'length']);
  });

  test('is refused where folders, prompt or template do not fit, with their names', async () => {
    expect(await problemOf({ adapterFolder: join(REFERENCE, 'llama-r8', 'final') })).toContain('base_model.model.model.layers.0');
    expect(await problemOf({ modelFolder: join(folder, 'absent') })).toContain('config.json: cannot be read');
    expect(await problemOf({ prompt: 'two plus five '.repeat(300) })).toContain("expected fewer than the model's 512 positions");
    expect(await problemOf({ chat: true })).toContain('has no chat_template');
  });
});
