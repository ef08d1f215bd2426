import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { messageOf } from '../core/error-message.ts';
import { execution, type Failure } from './failure.ts';

/** Files, as text or bytes, by their path inside the result folder. */
export type ResultFiles = Readonly<Record<string, string | Uint8Array>>;

const unwritable =
  (folder: string) =>
  (error: unknown): Failure =>
    execution({ kind: 'outputUnwritable', folder, reason: messageOf(error) });

/** Makes sure, before anything is computed, that results can be written. */
export const prepareFolder = (folder: string): TE.TaskEither<Failure, void> =>
  TE.tryCatch(async () => {
    await mkdir(folder, { recursive: true });
    await rm(await mkdtemp(join(folder, '.probe-')), { recursive: true });
  }, unwritable(folder));

/** Writes all files beside the folder first and then moves each into place, so that none is ever half written. */
export const writeResults = (folder: string, files: ResultFiles): TE.TaskEither<Failure, void> =>
  TE.tryCatch(async () => {
    await mkdir(folder, { recursive: true });
    const staging = await mkdtemp(join(folder, '.writing-'));
    try {
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(staging, path)), { recursive: true });
        await writeFile(join(staging, path), content);
      }
      for (const path of Object.keys(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await rename(join(staging, path), join(folder, path));
      }
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }, unwritable(folder));
