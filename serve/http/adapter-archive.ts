import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

const BLOCK_BYTES = 512;
/** Two empty blocks end an archive. */
const END_BYTES = 2 * BLOCK_BYTES;

export interface Archive {
  readonly stream: Readable;
  readonly bytes: number;
}

const padded = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

/** Files of a folder as a tar archive, in a folder of that name, made while it is read. */
export const archiveOf = async (folder: string, files: readonly string[], name: string): Promise<Archive> => {
  const entries = await Promise.all(files.map(async (file) => ({ file, info: await stat(join(folder, file)) })));
  const archive = pack();
  const fill = async (): Promise<void> => {
    for (const { file, info } of entries) {
      const entry = archive.entry({ name: `${name}/${file}`, size: info.size, mtime: info.mtime, mode: 0o644 });
      await pipeline(createReadStream(join(folder, file)), entry as unknown as NodeJS.WritableStream);
    }
    archive.finalize();
  };
  fill().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  const bytes = entries.reduce((sum, { info }) => sum + BLOCK_BYTES + padded(info.size), END_BYTES);
  return { stream: archive, bytes };
};
