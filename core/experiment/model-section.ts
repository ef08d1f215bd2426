import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import { parseModelConfig } from '../model/config.ts';
import type { Model } from '../model/model.ts';
import { MODEL_PRESETS } from '../model/presets.ts';
import { suggest } from '../nearest.ts';
import { mapPaths, problem, show, type Problems } from '../problem.ts';
import type { ModelSource } from './experiment.ts';

/** What reading an experiment needs from outside: everything that is in other files. */
export interface ExperimentContext {
  /** The parsed config.json of a model folder, whose path is as the experiment file writes it. */
  readonly readModelConfig: (folder: string) => E.Either<Problems, unknown>;
}

/** What a file says under `model`. */
export interface ModelSection {
  readonly model: Model;
  readonly source: ModelSource;
}

/** A model is a folder when its name could not be a preset's: it starts with a dot or contains a separator. */
export const isFolder = (name: string): boolean => name.startsWith('.') || /[\\/]/.test(name);

const lastPart = (path: string): string =>
  path
    .split(/[\\/]/)
    .filter((part) => part !== '' && part !== '.')
    .at(-1) ?? path;

const readFolder = (path: string, context: ExperimentContext): E.Either<Problems, ModelSection> =>
  pipe(
    context.readModelConfig(path),
    E.chain((json) => parseModelConfig(lastPart(path), json)),
    E.mapLeft(mapPaths((key) => (key === '' ? 'model' : `model (config.json: ${key})`))),
    E.map((model) => ({ model, source: { kind: 'folder', path } })),
  );

/** The model of an experiment file: the name of a preset, or a folder with a config.json. */
export const readModel = (value: unknown, context: ExperimentContext): E.Either<Problems, ModelSection> => {
  if (typeof value === 'string' && isFolder(value)) return readFolder(value, context);
  const preset = typeof value === 'string' ? MODEL_PRESETS.get(value) : undefined;
  if (preset !== undefined) return E.right({ model: preset, source: { kind: 'preset' } });
  const names = [...MODEL_PRESETS.keys()];
  const found = value === undefined ? 'is missing' : `is ${show(value)}`;
  const expected = `expected a folder like ./model, or one of ${names.join(', ')}`;
  return E.left([problem('model', `${found}; ${expected}${suggest(value, names)}`)]);
};
