import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { type Adapter } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import { type Problem, type Problems, problem, show } from '../../core/problem.ts';
import { type SafetensorsFile, openSafetensors } from '../checkpoint/safetensors-file.ts';
import { writeFolderAtomically } from '../checkpoint/write-files.ts';
import { writeSafetensors } from '../checkpoint/write-safetensors.ts';
import type { NamedArray } from '../stage.ts';
import { parameterLayout, peftShape } from './parameter-layout.ts';
import { formatPeftConfig, parsePeftConfig } from './peft-config.ts';
import { type VeraProjection, drawVeraProjection } from './vera-projection.ts';

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';

/** An adapter on disk as PEFT has it. */
export interface PeftAdapter {
  readonly adapter: Adapter;
  readonly weights: readonly NamedArray[];
}

export interface PeftFolder extends PeftAdapter {
  /** Hub id or folder of the base model, as PEFT shows it. */
  readonly baseModel: string;
}

/**
 * Writes an adapter as a folder that PEFT 0.10 (VeRA: 0.12) and later load. `weights` are those of all stages together. The folder
 * appears as a whole or not at all; Left says why the system refused it.
 */
export const writePeftFolder = async (
  folder: string,
  { adapter, baseModel, weights }: PeftFolder,
): Promise<E.Either<Problems, void>> => {
  try {
    await writeFolderAtomically(folder, async (temporary) => {
      await writeFile(join(temporary, CONFIG_FILE), formatPeftConfig(adapter, baseModel), { flush: true });
      await writeSafetensors(join(temporary, WEIGHTS_FILE), weights);
    });
    return E.right(undefined);
  } catch (error) {
    return E.left([problem('', `cannot be written: ${messageOf(error)}`)]);
  }
};

/** Reads an adapter folder of PEFT's or ours for a model; Left names every field and tensor that does not fit it. */
export const readPeftFolder = async (folder: string, model: Model): Promise<E.Either<Problems, PeftAdapter>> => {
  const config = await readConfig(join(folder, CONFIG_FILE));
  if (E.isLeft(config)) return E.left(inside(CONFIG_FILE, config.left));
  const file = await openSafetensors(join(folder, WEIGHTS_FILE));
  if (E.isLeft(file)) return E.left(inside(WEIGHTS_FILE, file.left));
  try {
    return await readWeights(file.right, model, config.right);
  } finally {
    await file.right.close();
  }
};

const inside = (file: string, [first, ...rest]: Problems): Problems => {
  const locate = ({ path, message }: Problem): Problem => problem(path === '' ? file : `${file}: ${path}`, message);
  return [locate(first), ...rest.map(locate)];
};

const readConfig = async (path: string): Promise<E.Either<Problems, Adapter>> => {
  try {
    return parsePeftConfig(await readFile(path, 'utf8'));
  } catch (error) {
    return E.left([problem('', `cannot be read: ${messageOf(error)}`)]);
  }
};

const readWeights = async (
  file: SafetensorsFile,
  model: Model,
  adapter: Adapter,
): Promise<E.Either<Problems, PeftAdapter>> => {
  const { segments } = parameterLayout(model, { first: 0, end: model.layerCount }, adapter);
  const expected = segments.map((segment) => ({
    name: segment.name,
    stored: storedName(file, segment.name),
    shape: peftShape(segment),
  }));
  const problems = expected.flatMap(({ stored, shape }) => checkShape(stored, shape, file.entries.get(stored)?.shape));
  const known = new Set([...expected.map(({ stored }) => stored), ...(adapter.type === 'vera' ? PROJECTIONS : [])]);
  problems.push(...[...file.entries.keys()].filter((name) => !known.has(name)).map(foreign));
  if (adapter.type === 'vera') problems.push(...(await checkProjections(file, drawVeraProjection(model, adapter))));
  const weights: NamedArray[] = [];
  for (const { name, stored, shape } of problems.length === 0 ? expected : []) {
    const values = await file.read(stored);
    if (E.isLeft(values)) problems.push(...values.left);
    else weights.push({ name, shape, values: values.right });
  }
  return isNonEmpty(problems) ? E.left(problems) : E.right({ adapter, weights });
};

/** PEFT 0.11 renamed DoRA's magnitudes; it still loads the older name, which is the one that we write. */
const storedName = ({ entries }: SafetensorsFile, name: string): string =>
  !entries.has(name) && entries.has(`${name}.weight`) ? `${name}.weight` : name;

const PROJECTIONS = ['base_model.vera_A', 'base_model.vera_B'] as const;

/** Projections in a file must be the ones of its key: they are drawn, never read. */
const checkProjections = async (file: SafetensorsFile, { A, B }: VeraProjection): Promise<readonly Problem[]> => {
  const problems: Problem[] = [];
  for (const [name, drawn] of [[PROJECTIONS[0], A] as const, [PROJECTIONS[1], B] as const]) {
    if (!file.entries.has(name)) continue;
    const stored = await file.read(name);
    if (E.isLeft(stored)) problems.push(...stored.left);
    else if (stored.right.length !== drawn.length || stored.right.some((value, index) => value !== drawn[index])) {
      problems.push(problem(name, 'differs from what PyTorch draws from projection_prng_key; only drawn projections are supported'));
    }
  }
  return problems;
};

const checkShape = (name: string, expected: readonly number[], found: readonly number[] | undefined): Problem[] => {
  if (found === undefined) return [problem(name, 'the tensor is missing')];
  return found.join() === expected.join()
    ? []
    : [problem(name, `has shape ${show(found)}; rank and base model give ${show(expected)}`)];
};

const foreign = (name: string): Problem => problem(name, 'belongs to no target module of this base model');
