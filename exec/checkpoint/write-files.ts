import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The bytes of a file in pieces, at hand or made one by one. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

let counter = 0;

/** A name beside `path` that no other writer uses; a crash leaves it behind, never a half-written `path`. */
const temporaryBeside = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${process.pid}.${counter++}.partial`);

/**
 * Writes a file so that a crash or a full disk leaves the old file or the new one, never half of it: a temporary file
 * beside it, flushed to disk, then renamed over it. Rejects with the system's error and leaves nothing behind.
 */
export const writeFileAtomically = async (path: string, chunks: Chunks): Promise<void> => {
  const temporary = temporaryBeside(path);
  try {
    await writeAndFlush(temporary, chunks);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flushFolder(dirname(path));
};

/**
 * Creates or replaces a folder as a whole: `fill` writes into a temporary folder beside it, which is then renamed. An
 * older folder of that name is moved aside first and removed last, so that at every moment one of the two is complete.
 */
export const writeFolderAtomically = async (path: string, fill: (folder: string) => Promise<void>): Promise<void> => {
  const temporary = temporaryBeside(path);
  const old = temporaryBeside(path);
  try {
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await flushFolder(temporary);
    await moveAside(path, old);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await flushFolder(dirname(path));
  await rm(old, { recursive: true, force: true });
};

const moveAside = (path: string, old: string): Promise<void> =>
  rename(path, old).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });

const writeAndFlush = async (path: string, chunks: Chunks): Promise<void> => {
  const file = await open(path, 'wx');
  try {
    for await (const chunk of chunks) await writeFully(file, chunk);
    await file.sync();
  } finally {
    await file.close();
  }
};

const writeFully = async (file: FileHandle, chunk: Uint8Array): Promise<void> => {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
};

/** A rename survives a power cut only once its folder is on disk. */
const flushFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};
