import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { downloadModel } from '../../../exec/checkpoint/download-model.ts';
import { cachedFolder, isAbsentHubModel, isHubId, locateModel } from '../../../exec/checkpoint/hub-model.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Answers as the hub does for one repository of these files; a file of null is listed and then gone. */
const hubOf =
  (files: Readonly<Record<string, string | null>>): typeof fetch =>
  async (input) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    if (pathname.includes('/tree/')) {
      const entries = Object.entries(files).map(([path, content]) => ({ type: 'file', path, size: content?.length ?? 0, oid: path }));
      return Promise.resolve(Response.json(entries));
    }
    const content = files[decodeURIComponent(pathname.split('/resolve/main/')[1] ?? '')];
    if (typeof content !== 'string') return Promise.resolve(new Response('', { status: 404, headers: { 'X-Error-Code': 'EntryNotFound' } }));
    const size = new TextEncoder().encode(content).length;
    return Promise.resolve(new Response(content, { headers: { 'content-range': `bytes 0-0/${size}`, ETag: '"x"' } }));
  };

const repository = {
  'config.json': '{}',
  'tokenizer.json': '{"a":1}',
  'model.safetensors': 'weights',
  'pytorch_model.bin': 'the same weights again',
  'onnx/model.json': 'x',
  'README.md': 'x',
};

describe('a model’s name', () => {
  test('is a hub id only where it has the form of one', () => {
    expect(['org/name', 'Org-1/na.me_2'].every(isHubId)).toBe(true);
    expect(['name', './org/name', '../name', '/org/name', 'a/b/c', '~/name', 'org/', '.a/b'].some(isHubId)).toBe(false);
  });

  test('means the folder of that path before the cached model', async () => {
    const cache = join(folder, 'cache');
    expect(locateModel(folder, 'org/name', cache)).toBe(join(cache, 'org--name'));
    expect(isAbsentHubModel(folder, 'org/name', cache)).toBe(true);
    await mkdir(join(folder, 'org/name'), { recursive: true });
    await writeFile(join(folder, 'org/name/config.json'), '{}');
    expect(locateModel(folder, 'org/name', cache)).toBe(join(folder, 'org/name'));
    expect(isAbsentHubModel(folder, 'org/name', cache)).toBe(false);
    expect(isAbsentHubModel(folder, './absent', cache)).toBe(false);
  });
});

describe('a model of the hub', () => {
  test('is kept with its weights and texts and nothing else', async () => {
    const found = await downloadModel('org/name', { cache: folder, fetch: hubOf(repository) });
    expect(found).toEqual(E.right(cachedFolder('org/name', folder)));
    const files = await readdir(join(folder, 'org--name'));
    expect(files.sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(await readFile(join(folder, 'org--name', 'model.safetensors'), 'utf8')).toBe('weights');
  });

  test.each<[string, Readonly<Record<string, string | null>>, string]>([
    ['it has no config', { 'model.safetensors': 'x' }, 'its repository has no config.json'],
    ['a file is gone', { ...repository, 'tokenizer.json': null }, 'tokenizer.json is listed but cannot be had'],
  ])('leaves nothing behind where %s', async (_, files, reason) => {
    const found = await downloadModel('org/name', { cache: folder, fetch: hubOf(files) });
    expect(E.isLeft(found) && found.left[0].message).toContain(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  test('says what to do where there is no network', async () => {
    const offline: typeof fetch = () => Promise.reject(new TypeError('fetch failed', { cause: new Error('no such host') }));
    const found = await downloadModel('org/name', { cache: folder, fetch: offline });
    expect(E.isLeft(found) && found.left[0].message).toBe(
      "org/name is no folder here, and the hub's model of that name cannot be downloaded: fetch failed (no such host); " +
        `without a network, copy the model's folder from a machine that has one to ${join(folder, 'org--name')}, ` +
        'or anywhere and give its path as ./folder',
    );
  });
});
