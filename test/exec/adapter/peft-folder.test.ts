import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Adapter, LoraAdapter, VeraAdapter } from '../../../core/job.ts';
import { initialValues } from '../../../exec/adapter/initial-values.ts';
import { packParameters, unpackParameters } from '../../../exec/adapter/named-parameters.ts';
import { parameterLayout } from '../../../exec/adapter/parameter-layout.ts';
import { readPeftFolder, writePeftFolder } from '../../../exec/adapter/peft-folder.ts';
import { drawVeraProjection } from '../../../exec/adapter/vera-projection.ts';
import type { NamedArray } from '../../../exec/stage.ts';
import { randomValues, tinyModel } from '../model/tiny-models.ts';

const model = tinyModel({ layerCount: 3 });
const adapter: LoraAdapter = {
  type: 'rslora',
  rank: 3,
  alpha: 12,
  dropout: 0.1,
  targetModules: ['k_proj', 'down_proj'],
};

const stageWeights = (first: number, end: number): readonly NamedArray[] => {
  const layout = parameterLayout(model, { first, end }, adapter);
  return unpackParameters(layout, randomValues(layout.size, first + 1));
};
const weights = [...stageWeights(0, 1), ...stageWeights(1, 3)];

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'peft-'));
  folder = join(root, 'adapter');
});
afterEach(() => rm(root, { recursive: true }));

const byName = (arrays: readonly NamedArray[]) => arrays.toSorted((a, b) => (a.name < b.name ? -1 : 1));

const problemsOf = async (): Promise<string[]> => {
  const read = await readPeftFolder(folder, model);
  return E.isLeft(read) ? read.left.map(({ path, message }) => `${path}: ${message}`) : [];
};

const changeConfig = async (changes: object): Promise<void> => {
  const path = join(folder, 'adapter_config.json');
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...changes }));
};

describe('an adapter folder', () => {
  beforeEach(async () => {
    expect(await writePeftFolder(folder, { adapter, baseModel: 'org/base', weights })).toEqual(E.right(undefined));
  });

  test('joins the weights of all stages and comes back as it was written', async () => {
    expect((await readdir(folder)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const read = await readPeftFolder(folder, model);
    if (E.isLeft(read)) throw new Error(read.left[0].message);
    expect(read.right.adapter).toEqual(adapter);
    expect(byName(read.right.weights)).toEqual(byName(weights));
  });

  test('has the fields by which PEFT builds the adapter', async () => {
    expect(JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'org/base',
      r: 3,
      lora_alpha: 12,
      lora_dropout: 0.1,
      target_modules: ['k_proj', 'down_proj'],
      use_rslora: true,
      bias: 'none',
    });
  });

  test.each<[object, string]>([
    [{ peft_type: 'IA3' }, 'adapter_config.json: peft_type: '],
    [{ r: 0 }, 'adapter_config.json: r: '],
    [{ use_dora: true }, 'adapter_config.json: use_dora: '],
    [{ rank_pattern: { q_proj: 4 } }, 'adapter_config.json: rank_pattern: '],
    [{ target_modules: ['lm_head'] }, 'adapter_config.json: target_modules.0: '],
    [{ modules_to_save: ['lm_head'] }, 'adapter_config.json: modules_to_save: '],
    [{ r: 2 }, 'base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight: has shape [3,12]; '],
  ])('is refused with %j', async (changes, start) => {
    await changeConfig(changes);
    expect((await problemsOf())[0]).toContain(start);
  });

  test('is refused for a base model of another shape, with every tensor named', async () => {
    const other = await readPeftFolder(folder, tinyModel({ layerCount: 2, hiddenSize: 24 }));
    const lines = E.isLeft(other) ? other.left.map(({ path, message }) => `${path}: ${message}`) : [];
    expect(lines).toContain(
      'base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight: has shape [3,12]; rank and base model give [3,24]',
    );
    expect(lines).toContain(
      'base_model.model.model.layers.2.mlp.down_proj.lora_B.weight: belongs to no target module of this base model',
    );
    expect(lines).toHaveLength(2 + 2 + 4);
  });

  test('is replaced as a whole by a newer one', async () => {
    const newer = weights.map((array) => ({ ...array, values: array.values.map((value) => value + 1) }));
    await writePeftFolder(folder, { adapter, baseModel: 'org/base', weights: newer });
    const read = await readPeftFolder(folder, model);
    expect(E.isRight(read) && byName(read.right.weights)).toEqual(byName(newer));
    expect(await readdir(root)).toEqual(['adapter']);
  });

  test('that cannot be written is a problem, not an exception', async () => {
    await writeFile(join(root, 'file'), '');
    const written = await writePeftFolder(join(root, 'file', 'adapter'), { adapter, baseModel: '', weights });
    expect(E.isLeft(written) && written.left[0].message).toMatch(/^cannot be written: ENOTDIR/);
  });
});

describe.each<Adapter>([
  { type: 'dora', rank: 2, alpha: 4, dropout: 0.1, targetModules: ['q_proj', 'up_proj'] },
  { type: 'vera', rank: 5, dropout: 0.1, targetModules: ['v_proj', 'down_proj'], projectionSeed: 9, initialScale: 0.2 },
])('an adapter folder of kind $type', (kind) => {
  test('comes back as it was written', async () => {
    const layout = parameterLayout(model, { first: 0, end: 3 }, kind);
    const trained = unpackParameters(layout, randomValues(layout.size, 4));
    await writePeftFolder(folder, { adapter: kind, baseModel: 'org/base', weights: trained });
    expect(await readPeftFolder(folder, model)).toEqual(E.right({ adapter: kind, weights: trained }));
  });
});

describe('an adapter folder of newer PEFT', () => {
  test('may call DoRA’s magnitudes weights', async () => {
    const kind: LoraAdapter = { type: 'dora', rank: 2, alpha: 4, dropout: 0, targetModules: ['q_proj'] };
    const layout = parameterLayout(model, { first: 0, end: 3 }, kind);
    const trained = unpackParameters(layout, randomValues(layout.size, 4));
    const renamed = trained.map((array) => ({ ...array, name: array.name.replace(/(magnitude_vector)$/, '$1.weight') }));
    await writePeftFolder(folder, { adapter: kind, baseModel: 'org/base', weights: renamed });
    expect(await readPeftFolder(folder, model)).toEqual(E.right({ adapter: kind, weights: trained }));
  });

  test('of VeRA may hold the projections of its key, and no others', async () => {
    const kind: VeraAdapter = {
      type: 'vera',
      rank: 3,
      dropout: 0,
      targetModules: ['q_proj'],
      projectionSeed: 9,
      initialScale: 0.1,
    };
    const layout = parameterLayout(model, { first: 0, end: 3 }, kind);
    const trained = unpackParameters(layout, randomValues(layout.size, 4));
    const { A, inputSize } = drawVeraProjection(model, kind);
    const projection = { name: 'base_model.vera_A', shape: [3, inputSize], values: A };
    await writePeftFolder(folder, { adapter: kind, baseModel: '', weights: [...trained, projection] });
    expect(E.isRight(await readPeftFolder(folder, model))).toBe(true);
    const other = { ...projection, values: A.map((value) => -value) };
    await writePeftFolder(folder, { adapter: kind, baseModel: '', weights: [...trained, other] });
    expect(await problemsOf()).toEqual([
      'base_model.vera_A: differs from what PyTorch draws from projection_prng_key; only drawn projections are supported',
    ]);
  });
});

describe('named parameters', () => {
  const layout = parameterLayout(model, { first: 0, end: 3 }, adapter);

  test('are packed into the vector they came from', () => {
    const values = initialValues(layout, adapter, 5);
    expect(packParameters(layout, unpackParameters(layout, values))).toEqual(values);
  });

  test('must all be there in their shapes', () => {
    const [first, ...rest] = unpackParameters(layout, new Float32Array(layout.size));
    expect(() => packParameters(layout, rest)).toThrow(
      'layers.0.self_attn.k_proj.lora_A.weight: expected shape [3,12], found nothing',
    );
    expect(() => packParameters(layout, [{ ...first!, shape: [12, 3] }, ...rest])).toThrow(
      'expected shape [3,12], found [12,3]',
    );
  });
});
