import { mkdtemp, readdir, rm, writeFile, mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../exec/checkpoint/checkpoint.ts';
import { checkModelTensors, stageTensors } from '../../../exec/checkpoint/model-tensors.ts';
import { writeFileAtomically, writeFolderAtomically } from '../../../exec/checkpoint/write-files.ts';
import { writeSafetensors } from '../../../exec/checkpoint/write-safetensors.ts';
import { randomWeights, sourceOf, tinyModel } from '../model/tiny-models.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true }));

const array = (name: string, ...values: number[]) => ({
  name,
  shape: [values.length],
  values: Float32Array.from(values),
});

const writeIndex = (map: unknown): Promise<void> =>
  writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));

const problemsOf = async (): Promise<string[]> => {
  const checkpoint = await openCheckpoint(folder);
  if (E.isLeft(checkpoint)) return checkpoint.left.map(({ path, message }) => `${path}: ${message}`);
  await checkpoint.right.close();
  return [];
};

describe('a checkpoint folder', () => {
  test('is one file, or shards that an index joins', async () => {
    await writeSafetensors(join(folder, 'model.safetensors'), [array('a', 1), array('b', 2)]);
    await writeSafetensors(join(folder, 'part-1.safetensors'), [array('a', 3)]);
    await writeSafetensors(join(folder, 'part-2.safetensors'), [array('b', 4), array('unused', 5)]);
    const read = async () => {
      const checkpoint = await openCheckpoint(folder);
      if (E.isLeft(checkpoint)) throw new Error(checkpoint.left[0].message);
      const values = await Promise.all(['a', 'b'].map((name) => checkpoint.right.read(name)));
      await checkpoint.right.close();
      return { names: checkpoint.right.names, values };
    };
    expect(await read()).toEqual({
      names: ['a', 'b'],
      values: [E.right(Float32Array.of(1)), E.right(Float32Array.of(2))],
    });
    await writeIndex({ a: 'part-1.safetensors', b: 'part-2.safetensors' });
    expect(await read()).toEqual({
      names: ['a', 'b'],
      values: [E.right(Float32Array.of(3)), E.right(Float32Array.of(4))],
    });
  });

  test('names everything that is wrong with its shards', async () => {
    await writeSafetensors(join(folder, 'good.safetensors'), [array('a', 1)]);
    await writeFile(join(folder, 'short.safetensors'), 'x');
    await writeIndex({ a: 'good.safetensors', b: 'short.safetensors', c: 'absent.safetensors' });
    expect(await problemsOf()).toEqual([
      'short.safetensors: has 1 bytes; a safetensors file has at least 8',
      expect.stringMatching(/^absent\.safetensors: cannot be opened: ENOENT/),
    ]);
    await writeIndex({ a: 'good.safetensors', b: 'good.safetensors' });
    expect(await problemsOf()).toEqual([
      'b: model.safetensors.index.json places it in good.safetensors, which does not hold it',
    ]);
  });

  test.each(['../elsewhere.safetensors', '/etc/passwd', 'sub/x.safetensors', 'x.bin', '..\\x.safetensors'])(
    'may not send the reader to %s',
    async (file) => {
      await writeIndex({ a: file });
      expect(await problemsOf()).toEqual([expect.stringContaining('expected a .safetensors file in the same folder')]);
    },
  );

  test.each([['{'], ['[]'], ['{"weight_map":{"a":3}}']])('is refused with the index %s', async (index) => {
    await writeFile(join(folder, 'model.safetensors.index.json'), index);
    expect(await problemsOf()).toEqual([expect.stringMatching(/^model\.safetensors\.index\.json: /)]);
  });

  test('says so when it is empty', async () => {
    expect(await problemsOf()).toEqual([expect.stringMatching(/^model\.safetensors: cannot be opened: ENOENT/)]);
  });
});

test('any index of shards: an answer, never an exception, and never a file outside the folder', async () => {
  await writeSafetensors(join(folder, 'good.safetensors'), [array('a', 1), array('b', 2)]);
  const file = fc.oneof(fc.constantFrom('good.safetensors', '../good.safetensors', ''), fc.string(), fc.jsonValue({ maxDepth: 1 }));
  const map = fc.oneof(fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'c'), file), fc.jsonValue({ maxDepth: 1 }));
  await fc.assert(
    fc.asyncProperty(map, async (weightMap) => {
      await writeIndex(weightMap);
      const checkpoint = await openCheckpoint(folder);
      if (E.isLeft(checkpoint)) return;
      for (const name of checkpoint.right.names) expect(E.isRight(await checkpoint.right.read(name))).toBe(true);
      await checkpoint.right.close();
    }),
    { numRuns: 100 },
  );
});

describe('the tensors of a stage', () => {
  const model = tinyModel({ layerCount: 3, attentionBias: true });
  const names = (first: number, end: number): string[] => stageTensors(model, { first, end }).map(([name]) => name);

  test('are its layers, the embedding in front and the norm and head behind', () => {
    expect(names(1, 2).every((name) => name.startsWith('model.layers.1.'))).toBe(true);
    expect(names(0, 1)).toContain('model.embed_tokens.weight');
    expect(names(0, 1)).not.toContain('lm_head.weight');
    expect(names(2, 3)).toEqual(expect.arrayContaining(['model.norm.weight', 'lm_head.weight']));
    const all = [names(0, 1), names(1, 2), names(2, 3)].flat();
    expect(all.sort()).toEqual(names(0, 3).sort());
  });

  test('take the embedding as head where the two are tied, once', () => {
    const tied = tinyModel({ tiedEmbeddings: true });
    const list = stageTensors(tied, { first: 0, end: 2 }).map(([name]) => name);
    expect(list.filter((name) => name === 'model.embed_tokens.weight')).toHaveLength(1);
    expect(stageTensors(tied, { first: 1, end: 2 }).map(([name]) => name)).toContain('model.embed_tokens.weight');
  });

  test('are checked against the model, every wrong one by name', () => {
    const weights = new Map(randomWeights(model, 1));
    weights.delete('model.layers.1.mlp.up_proj.weight');
    weights.set('model.layers.0.self_attn.k_proj.weight', { shape: [12, 24], values: new Float32Array(288) });
    weights.set('model.layers.2.self_attn.q_norm.weight', { shape: [6], values: new Float32Array(6) });
    weights.set('model.layers.2.self_attn.rotary_emb.inv_freq', { shape: [3], values: new Float32Array(3) });
    const problems = checkModelTensors(model, { first: 0, end: 3 }, sourceOf(weights)).map(
      ({ path, message }) => `${path}: ${message}`,
    );
    expect(problems).toEqual([
      "model.layers.0.self_attn.k_proj.weight: has shape [12,24]; the model's config gives [12,12]",
      'model.layers.1.mlp.up_proj.weight: the tensor is missing; expected shape [20,12]',
      'model.layers.2.self_attn.q_norm.weight: no such weight is known in a layer of this architecture; it would be ignored',
    ]);
    expect(checkModelTensors(model, { first: 2, end: 3 }, sourceOf(weights))).toHaveLength(1);
  });
});

describe('atomic writing', () => {
  test('leaves the old file, and nothing else, when it fails', async () => {
    await writeFileAtomically(join(folder, 'a'), [Buffer.from('old')]);
    const failing = [Buffer.from('new'), null as unknown as Uint8Array];
    await expect(writeFileAtomically(join(folder, 'a'), failing)).rejects.toThrow();
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['a']);
  });

  test('replaces a folder as a whole', async () => {
    const path = join(folder, 'adapter');
    await writeFolderAtomically(path, (inside) => writeFile(join(inside, 'one'), '1'));
    await writeFolderAtomically(path, (inside) => writeFile(join(inside, 'two'), '2'));
    expect(await readdir(path)).toEqual(['two']);
    expect(await readdir(folder)).toEqual(['adapter']);
  });

  test('leaves the old folder, and nothing else, when filling the new one fails', async () => {
    const path = join(folder, 'adapter');
    await mkdir(path);
    await writeFile(join(path, 'old'), '1');
    const fill = async (inside: string): Promise<void> => {
      await writeFile(join(inside, 'half'), '2');
      throw new Error('disk full');
    };
    await expect(writeFolderAtomically(path, fill)).rejects.toThrow('disk full');
    expect(await readdir(path)).toEqual(['old']);
    expect(await readdir(folder)).toEqual(['adapter']);
  });
});
