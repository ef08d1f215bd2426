import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mergeFolder } from '../../../exec/adapter/merge-folder.ts';
import { readPeftFolder, type PeftAdapter } from '../../../exec/adapter/peft-folder.ts';
import { openCheckpoint, type Checkpoint } from '../../../exec/checkpoint/checkpoint.ts';
import { encodeFloats } from '../../../exec/checkpoint/element-type.ts';
import { readModelConfig } from '../../../exec/checkpoint/model-folder.ts';
import { writeStoredTensors } from '../../../exec/checkpoint/write-safetensors.ts';
import { formatExecError } from '../../../exec/exec-error.ts';
import { MODEL_FOLDER } from '../demo.ts';

/** Models and adapters that transformers and PEFT made. */
const REFERENCE = fileURLToPath(new URL('../../reference/', import.meta.url));
const CASES = ['llama-r8', 'qwen2-rslora-all'] as const;
const modelOf = (name: string): string => join(REFERENCE, name, 'model');
const adapterOf = (name: string): string => join(REFERENCE, name, 'final');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const right = <A>(result: E.Either<unknown, A>): A => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

const openFolder = async (path: string): Promise<Checkpoint> => right(await openCheckpoint(path));

const problemOf = async (folders: Parameters<typeof mergeFolder>[0]): Promise<string> => {
  const merged = await mergeFolder(folders)();
  return E.isLeft(merged) ? formatExecError(merged.left) : 'merged';
};

/** scale·(B·A)[row, column] of one module, straight from the definition. */
const deltaOf = ({ adapter, weights }: PeftAdapter, tensor: string) => {
  const find = (matrix: string): Float32Array | undefined =>
    weights.find(({ name }) => name === `base_model.model.${tensor.replace('.weight', '')}.lora_${matrix}.weight`)?.values;
  const [A, B, rank] = [find('A'), find('B'), adapter.rank];
  if (adapter.type === 'vera') throw new Error('not in these references');
  const scale = adapter.alpha / (adapter.type === 'rslora' ? Math.sqrt(rank) : rank);
  return (row: number, column: number): number => {
    if (A === undefined || B === undefined) return 0;
    const width = A.length / rank;
    return scale * Array.from({ length: rank }, (_, k) => B[row * rank + k]! * A[k * width + column]!).reduce((a, b) => a + b);
  };
};

describe('a merged model', () => {
  test.each(CASES)('is the base plus scale·B·A where %s has targets, and the base elsewhere', async (name) => {
    const out = join(folder, 'merged');
    right(await mergeFolder({ adapter: adapterOf(name), model: modelOf(name), out })());
    const model = right(await readModelConfig(modelOf(name)));
    const adapter = right(await readPeftFolder(adapterOf(name), model));
    const [base, merged] = [await openFolder(modelOf(name)), await openFolder(out)];
    expect([...merged.names].sort()).toEqual([...base.names].sort());
    let changed = 0;
    for (const tensor of base.names) {
      const [before, after] = [right(await base.read(tensor)), right(await merged.read(tensor))];
      const delta = deltaOf(adapter, tensor);
      const width = base.shape(tensor)!.at(-1)!;
      const expected = before.map((value, index) => value + delta(Math.floor(index / width), index % width));
      if (expected.some((value, index) => value !== before[index])) changed++;
      const worst = Math.max(...after.map((value, index) => Math.abs(value - expected[index]!)));
      expect([tensor, worst < 1e-6]).toEqual([tensor, true]);
    }
    expect(changed).toBe(adapter.adapter.targetModules.length * model.layerCount);
    await Promise.all([base.close(), merged.close()]);
  });

  test('has the base’s config and tokenizer, its element types and nothing else', async () => {
    const base = join(folder, 'base');
    await mkdir(base);
    const config = await readFile(join(modelOf('llama-r8'), 'config.json'));
    await writeFile(join(base, 'config.json'), config);
    await writeFile(join(base, 'chat_template.jinja'), 'x');
    await writeFile(join(base, 'notes.pdf'), 'x');
    const source = await openFolder(modelOf('llama-r8'));
    const types = ['F16', 'BF16', 'F32'] as const;
    const typeOf = (name: string): (typeof types)[number] => types[name.length % 3]!;
    await writeStoredTensors(
      join(base, 'model.safetensors'),
      source.names.map((name) => ({
        name,
        type: typeOf(name),
        shape: source.shape(name)!,
        bytes: async () => encodeFloats(right(await source.read(name)), typeOf(name)),
      })),
    );
    const out = join(folder, 'out');
    right(await mergeFolder({ adapter: adapterOf('llama-r8'), model: base, out })());
    const merged = await openFolder(out);
    expect(merged.names.map((name) => merged.type(name))).toEqual(merged.names.map(typeOf));
    expect((await readdir(out)).sort()).toEqual(['chat_template.jinja', 'config.json', 'model.safetensors']);
    expect(await readFile(join(out, 'config.json'))).toEqual(config);
    await Promise.all([source.close(), merged.close()]);
  });
});

describe('merging is refused', () => {
  const model = modelOf('llama-r8');
  const adapter = adapterOf('llama-r8');

  test('where the adapter was made for another base, by the names of its tensors', async () => {
    const message = await problemOf({ adapter, model: MODEL_FOLDER, out: join(folder, 'out') });
    expect(message).toContain('base_model.model.model.layers.0');
    expect(await readdir(folder)).toEqual([]);
  });

  test('where the output exists, which stays as it is', async () => {
    await writeFile(join(folder, 'precious'), 'x');
    expect(await problemOf({ adapter, model, out: folder })).toContain('it exists already');
    expect(await readdir(folder)).toEqual(['precious']);
  });

  test('where a folder is absent, by its name', async () => {
    const absent = join(folder, 'absent');
    expect(await problemOf({ adapter, model: absent, out: join(folder, 'out') })).toContain(`${absent}: config.json: cannot be read`);
    expect(await problemOf({ adapter: absent, model, out: join(folder, 'out') })).toContain(`${absent}: adapter_config.json: cannot be read`);
  });
});
