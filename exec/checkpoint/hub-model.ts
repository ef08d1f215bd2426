import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The cache of downloaded models: `MLORA_MODELS`, or a folder of the user's. */
export const modelCache = (): string => process.env.MLORA_MODELS ?? join(homedir(), '.cache', 'mlora', 'models');

/** Whether a model's name can be a hub id like `organisation/model`; so can the path of a folder. */
export const isHubId = (name: string): boolean => /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(name);

const isModelFolder = (path: string): boolean => existsSync(join(path, 'config.json'));

/** Where a hub model's files are kept. */
export const cachedFolder = (id: string, cache: string): string => join(cache, id.replace('/', '--'));

/**
 * Folder of the model that `name` means in files of `folder`: the folder of that path, or the cached copy of that hub
 * id where there is no such folder.
 */
export const locateModel = (folder: string, name: string, cache: string): string => {
  const path = resolve(folder, name);
  return isHubId(name) && !isModelFolder(path) ? cachedFolder(name, cache) : path;
};

/** Whether the name is a hub id that neither a folder nor the cache has. */
export const isAbsentHubModel = (folder: string, name: string, cache: string): boolean =>
  isHubId(name) && !isModelFolder(locateModel(folder, name, cache));
