import { createWriteStream } from 'node:fs';
import { lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';

type Archive = ReadableStream<Uint8Array>;

const exists = async (path: string): Promise<boolean> => lstat(path).then(() => true, (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENOENT');

const unpackInto = async (folder: string, archive: Archive, files: readonly string[]): Promise<void> => {
  const missing = new Set(files);
  const entries = extract();
  const read = pipeline(Readable.fromWeb(archive as never), entries as unknown as NodeJS.WritableStream);
  read.catch(() => undefined);
  for await (const entry of entries) {
    const name = basename(entry.header.name);
    // Nothing but these files, whatever paths an archive names.
    if (!missing.delete(name)) throw new Error(`the archive holds ${entry.header.name}, which is no file of an adapter`);
    await pipeline(entry as unknown as NodeJS.ReadableStream, createWriteStream(join(folder, name), { flags: 'wx', flush: true }));
  }
  await read;
  if (missing.size > 0) throw new Error(`the archive lacks ${[...missing].join(' and ')}`);
};

/** Unpacks an adapter into a new folder, which appears as a whole or not at all; rejects where there is one of that name. */
export const unpackAdapter = async (folder: string, archive: Archive, files: readonly string[]): Promise<void> => {
  await mkdir(dirname(resolve(folder)), { recursive: true });
  const temporary = await mkdtemp(join(dirname(resolve(folder)), `.${basename(resolve(folder))}-`));
  try {
    await unpackInto(temporary, archive, files);
    if (await exists(folder)) throw new Error('exists; expected the name of a new folder');
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
};

/** Whether a folder would be refused, to be asked before anything is downloaded. */
export const isTaken = exists;
