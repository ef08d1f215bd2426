import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { problem } from '../../core/problem.ts';
import { catchExecFailure, orBadInput } from '../bad-input.ts';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts';
import { type ElementType, encodeFloats, isFloatType } from '../checkpoint/element-type.ts';
import { readModelConfig } from '../checkpoint/model-folder.ts';
import { checkModelTensors } from '../checkpoint/model-tensors.ts';
import { writeFolderAtomically } from '../checkpoint/write-files.ts';
import { type StoredTensor, writeStoredTensors } from '../checkpoint/write-safetensors.ts';
import { type ExecError, ExecFailure } from '../exec-error.ts';
import { createMerges, type MergeWeight } from './merge-weight.ts';
import { readPeftFolder } from './peft-folder.ts';

export interface MergeFolders {
  readonly adapter: string;
  readonly model: string;
  /** Must not exist yet. */
  readonly out: string;
}

/** Everything beside the weights that a model folder is loaded with. */
const isCompanion = (file: string): boolean =>
  /\.(json|jinja|txt|model)$/.test(file) && !file.endsWith('.index.json');

const copyCompanions = async (from: string, to: string): Promise<void> => {
  const files = (await readdir(from)).filter(isCompanion);
  await Promise.all(files.map((file) => copyFile(join(from, file), join(to, file))));
};

/** All tensors of the base, those that the adapter changes merged, each in the type it had. */
const mergedTensors = (source: Checkpoint, merges: ReadonlyMap<string, MergeWeight>): readonly StoredTensor[] =>
  source.names.map((name) => {
    const type: ElementType = source.type(name)!;
    const merge = merges.get(name);
    const bytes = async (): Promise<Uint8Array> => {
      if (merge === undefined || !isFloatType(type)) return orBadInput(name)(await source.readBytes(name));
      return encodeFloats(merge(orBadInput(name)(await source.read(name))), type);
    };
    return { name, type, shape: source.shape(name)!, bytes };
  });

const refuseExisting = async (out: string): Promise<void> => {
  const exists = await stat(out).then(
    () => true,
    () => false,
  );
  if (exists) throw new ExecFailure({ kind: 'outputUnwritable', folder: out, reason: 'it exists already' });
};

const writeMerged = async (tensors: readonly StoredTensor[], folders: MergeFolders): Promise<void> => {
  try {
    await writeFolderAtomically(folders.out, async (temporary) => {
      await copyCompanions(folders.model, temporary);
      await writeStoredTensors(join(temporary, 'model.safetensors'), tensors);
    });
  } catch (error) {
    if (error instanceof ExecFailure || !(error instanceof Error && 'code' in error)) throw error;
    throw new ExecFailure({ kind: 'outputUnwritable', folder: folders.out, reason: error.message });
  }
};

const mergeAll = async (folders: MergeFolders): Promise<void> => {
  await refuseExisting(folders.out);
  const model = orBadInput(folders.model)(await readModelConfig(folders.model));
  const adapter = orBadInput(folders.adapter)(await readPeftFolder(folders.adapter, model));
  const source = orBadInput(folders.model)(await openCheckpoint(folders.model));
  try {
    const merges = createMerges(model, adapter);
    const problems = checkModelTensors(model, { first: 0, end: model.layerCount }, source);
    for (const name of merges.keys()) {
      const type = source.type(name);
      if (type !== undefined && !isFloatType(type)) problems.push(problem(name, `holds ${type} values, which cannot be merged`));
    }
    if (isNonEmpty(problems)) orBadInput(folders.model)(E.left(problems));
    await writeMerged(mergedTensors(source, merges), folders);
  } finally {
    await source.close();
  }
};

/**
 * Writes base + adapter as a plain model folder: weights in the base's element types in one file, config and tokenizer
 * copied. Left: a folder that cannot be read, an adapter made for another base, or an output that cannot be written.
 */
export const mergeFolder = (folders: MergeFolders): TaskEither<ExecError, void> =>
  catchExecFailure(() => mergeAll(folders));
