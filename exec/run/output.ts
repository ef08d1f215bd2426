import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import type { ExecError } from '../exec-error.ts';

/** A folder that results can be written into. */
export interface Output {
  /** Folder of one adapter's files. */
  readonly adapterFolder: (name: string) => string;
  readonly checkpointFolder: (name: string) => string;
  /** Those of an earlier run, which this one does not continue. */
  readonly removeCheckpoints: () => Promise<void>;
  /** After a failure: removes the folders made for this run as far as nothing was written into them. */
  readonly withdraw: () => Promise<void>;
}

/** Removes empty folders from `folder` up to `first`; one that holds something stays, and so do those above it. */
const removeEmpty = async (folder: string, first: string): Promise<void> => {
  try {
    for (let path = folder; path.length >= first.length; path = dirname(path)) await rmdir(path);
  } catch {
    return;
  }
};

/** Folder of all checkpoints of a run, one folder per job. */
export const checkpointsFolder = (folder: string): string => join(folder, 'checkpoints');

/** Creates the folder where it is missing and tries to write into it, so that a run cannot fail for that at its end. */
export const prepareOutput = async (folder: string): Promise<E.Either<ExecError, Output>> => {
  const adapters = join(folder, 'adapters');
  const checkpoints = checkpointsFolder(folder);
  try {
    const created = await mkdir(adapters, { recursive: true });
    await rm(await mkdtemp(join(adapters, '.probe-')), { recursive: true });
    return E.right({
      adapterFolder: (name) => join(adapters, name),
      checkpointFolder: (name) => join(checkpoints, name),
      removeCheckpoints: () => rm(checkpoints, { recursive: true, force: true }),
      withdraw: async () => (created === undefined ? undefined : removeEmpty(adapters, created)),
    });
  } catch (error) {
    return E.left({ kind: 'outputUnwritable', folder, reason: messageOf(error) });
  }
};
