import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveOf } from '../../serve/http/adapter-archive.ts';
import { unpackAdapter } from '../../serve/unpack-adapter.ts';

const FILES = ['a.json', 'b.bin'];
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const streamOf = (bytes: Uint8Array) => Readable.toWeb(Readable.from([bytes])) as ReadableStream<Uint8Array>;
const tarOf = (...names: readonly string[]): Promise<Buffer> => {
  const archive = pack();
  for (const name of names) archive.entry({ name }, 'x'.repeat(600));
  archive.finalize();
  return buffer(archive);
};

describe('an adapter as an archive', () => {
  it.each([0, 1, 512, 100_000])('is what it was when it is unpacked, and as long as was said: %i bytes', async (size) => {
    const bytes = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
    for (const file of FILES) await writeFile(join(folder, file), file === 'b.bin' ? bytes : '{}');
    const archive = await archiveOf(folder, FILES, '7-sums');
    const packed = await buffer(archive.stream);
    expect(packed.length).toBe(archive.bytes);
    const out = join(folder, 'deep', 'out');
    await unpackAdapter(out, streamOf(packed), FILES);
    expect(await readFile(join(out, 'b.bin'))).toEqual(bytes);
    expect((await readdir(out)).sort()).toEqual(FILES);
  });

  it.each<[string, () => Promise<Uint8Array>, RegExp]>([
    ['is cut', async () => (await tarOf(...FILES)).subarray(0, 1700), /end|closed/i],
    ['lacks a file', () => tarOf('x/a.json'), /lacks b\.bin/],
    ['holds another file', () => tarOf('x/a.json', '../../b.sh'), /b\.sh, which is no file of an adapter/],
    ['is none', () => Promise.resolve(Buffer.alloc(2000, 7)), /tar|header/i],
  ])('leaves nothing behind where it %s', async (_, bytes, message) => {
    await expect(unpackAdapter(join(folder, 'out'), streamOf(await bytes()), FILES)).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is not unpacked over anything', async () => {
    await writeFile(join(folder, 'out'), 'mine');
    await expect(unpackAdapter(join(folder, 'out'), streamOf(await tarOf(...FILES)), FILES)).rejects.toThrow('exists');
    expect(await readFile(join(folder, 'out'), 'utf8')).toBe('mine');
  });
});
