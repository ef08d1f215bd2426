import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { messageOf } from '../../core/error-message.ts';
import { type Problem, type Problems, problem, show } from '../../core/problem.ts';
import type { ElementType } from './element-type.ts';
import { type SafetensorsFile, openSafetensors } from './safetensors-file.ts';

/** Named float tensors that are read one by one, whatever holds them. */
export interface TensorSource {
  readonly names: readonly string[];
  /** Undefined where there is no such tensor. */
  readonly shape: (name: string) => readonly number[] | undefined;
  /** Values as float32, row-major. */
  readonly read: (name: string) => Promise<E.Either<Problems, Float32Array>>;
}

/** A model folder in Hugging Face layout, open for reading. */
export interface Checkpoint extends TensorSource {
  /** Stored element type; undefined where there is no such tensor. */
  readonly type: (name: string) => ElementType | undefined;
  /** A tensor's bytes as they are stored. */
  readonly readBytes: (name: string) => Promise<E.Either<Problems, Uint8Array>>;
  readonly close: () => Promise<void>;
}

const SINGLE_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';

/** Opens the weights of a model folder: one safetensors file or shards with an index. Problems carry file or tensor as path. */
export const openCheckpoint = async (folder: string): Promise<E.Either<Problems, Checkpoint>> => {
  const indexed = await exists(join(folder, INDEX_FILE));
  const index = indexed ? await readIndex(join(folder, INDEX_FILE)) : E.right(null);
  return E.isLeft(index) ? index : openShards(folder, index.right);
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

type WeightMap = Readonly<Record<string, string>>;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

const readIndex = async (path: string): Promise<E.Either<Problems, WeightMap>> => {
  const wrong = (message: string): E.Either<Problems, WeightMap> => E.left([problem(INDEX_FILE, message)]);
  try {
    const parsed = indexSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (!parsed.success) return wrong('weight_map is missing or does not map tensor names to file names');
    const outside = Object.values(parsed.data.weight_map).find((file) => !isShardName(file));
    return outside === undefined
      ? E.right(parsed.data.weight_map)
      : wrong(`weight_map names the file ${show(outside)}; expected a .safetensors file in the same folder`);
  } catch (error) {
    return wrong(`cannot be read: ${messageOf(error)}`);
  }
};

/** A shard lies in the folder itself: an index may not point the reader elsewhere. */
const isShardName = (file: string): boolean =>
  basename(file) === file && !file.includes('\\') && file.endsWith('.safetensors');

const openShards = async (folder: string, index: WeightMap | null): Promise<E.Either<Problems, Checkpoint>> => {
  const files = index === null ? [SINGLE_FILE] : [...new Set(Object.values(index))];
  const opened = await Promise.all(
    files.map(async (file) => ({ file, shard: await openSafetensors(join(folder, file)) })),
  );
  const shards = new Map(opened.flatMap(({ file, shard }) => (E.isRight(shard) ? [[file, shard.right] as const] : [])));
  const problems = opened.flatMap(({ file, shard }) => (E.isLeft(shard) ? shard.left.map(insideFile(file)) : []));
  const home = homeOfTensors(shards, index);
  if (index !== null && problems.length === 0) problems.push(...missingInShards(index, shards));
  if (!isNonEmpty(problems)) return E.right(checkpointOf(home, [...shards.values()]));
  await Promise.all([...shards.values()].map((shard) => shard.close()));
  return E.left(problems);
};

const insideFile =
  (file: string) =>
  (inner: Problem): Problem =>
    problem(inner.path === '' ? file : `${file}[${inner.path}]`, inner.message);

const homeOfTensors = (
  shards: ReadonlyMap<string, SafetensorsFile>,
  index: WeightMap | null,
): Map<string, SafetensorsFile> => {
  const listed = ([file, shard]: readonly [string, SafetensorsFile]): [string, SafetensorsFile][] =>
    [...shard.entries.keys()].filter((name) => index === null || index[name] === file).map((name) => [name, shard]);
  return new Map([...shards].flatMap(listed));
};

const missingInShards = (index: WeightMap, shards: ReadonlyMap<string, SafetensorsFile>): Problem[] =>
  Object.entries(index)
    .filter(([name, file]) => shards.get(file)?.entries.has(name) !== true)
    .map(([name, file]) => problem(name, `${INDEX_FILE} places it in ${file}, which does not hold it`));

const checkpointOf = (home: ReadonlyMap<string, SafetensorsFile>, files: readonly SafetensorsFile[]): Checkpoint => ({
  names: [...home.keys()],
  shape: (name) => home.get(name)?.entries.get(name)?.shape,
  type: (name) => home.get(name)?.entries.get(name)?.type,
  readBytes: async (name) => home.get(name)?.readBytes(name) ?? E.left([problem(name, 'the tensor is missing')]),
  read: async (name) => home.get(name)?.read(name) ?? E.left([problem(name, 'the tensor is missing')]),
  close: async () => {
    await Promise.all(files.map((file) => file.close()));
  },
});
