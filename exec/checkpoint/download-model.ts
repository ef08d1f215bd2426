import { join } from 'node:path';
import { downloadFile, listFiles } from '@huggingface/hub';
import * as E from 'fp-ts/lib/Either.js';
import { problem, type Problems } from '../../core/problem.ts';
import { cachedFolder } from './hub-model.ts';
import { writeFileAtomically, writeFolderAtomically } from './write-files.ts';

export interface DownloadOptions {
  readonly cache: string;
  /** Access token for models that need one. */
  readonly accessToken?: string;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
}

/** Files at the top of a model's repository that a model folder needs: weights once, as safetensors, and all texts. */
const isWanted = (path: string): boolean => !path.includes('/') && /\.(safetensors|json|jinja|txt|model)$/.test(path);

const credentials = ({ accessToken, fetch: fetchWith }: DownloadOptions) => ({
  ...(accessToken === undefined ? {} : { accessToken }),
  ...(fetchWith === undefined ? {} : { fetch: fetchWith }),
});

const listWanted = async (id: string, options: DownloadOptions): Promise<readonly string[]> => {
  const paths: string[] = [];
  for await (const { type, path } of listFiles({ repo: id, ...credentials(options) })) {
    if (type === 'file' && isWanted(path)) paths.push(path);
  }
  return paths;
};

const fetchFile = async (id: string, path: string, folder: string, options: DownloadOptions): Promise<void> => {
  const blob = await downloadFile({ repo: id, path, ...credentials(options) });
  if (blob === null) throw new Error(`${path} is listed but cannot be had`);
  await writeFileAtomically(join(folder, path), blob.stream());
};

/** `fetch` hides the reason behind "fetch failed". */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
};

const advice = (id: string, cache: string): string =>
  `without a network, copy the model's folder from a machine that has one to ${cachedFolder(id, cache)}, ` +
  'or anywhere and give its path as ./folder';

/** Downloads a model of the Hugging Face hub into the cache, whole or not at all; gives its folder. Left: why not. */
export const downloadModel = async (id: string, options: DownloadOptions): Promise<E.Either<Problems, string>> => {
  const folder = cachedFolder(id, options.cache);
  try {
    const paths = await listWanted(id, options);
    if (!paths.includes('config.json')) throw new Error('its repository has no config.json');
    await writeFolderAtomically(folder, async (temporary) => {
      for (const path of paths) await fetchFile(id, path, temporary, options);
    });
    return E.right(folder);
  } catch (error) {
    const found = `${id} is no folder here, and the hub's model of that name cannot be downloaded: ${reasonOf(error)}`;
    return E.left([problem('model', `${found}; ${advice(id, options.cache)}`)]);
  }
};
