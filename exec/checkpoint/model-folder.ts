import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { parseModelConfig } from '../../core/model/config.ts';
import type { Model } from '../../core/model/model.ts';
import { mapPaths, problem, type Problems } from '../../core/problem.ts';

const CONFIG_FILE = 'config.json';

/** The shape of the model in a folder in Hugging Face layout, from its config.json. */
export const readModelConfig = async (folder: string): Promise<E.Either<Problems, Model>> => {
  try {
    const json: unknown = JSON.parse(await readFile(join(folder, CONFIG_FILE), 'utf8'));
    return E.mapLeft(mapPaths((path) => (path === '' ? CONFIG_FILE : `${CONFIG_FILE}: ${path}`)))(
      parseModelConfig(basename(resolve(folder)), json),
    );
  } catch (error) {
    return E.left([problem(CONFIG_FILE, `cannot be read: ${messageOf(error)}`)]);
  }
};
