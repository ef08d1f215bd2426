import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeFloats } from '../../../exec/checkpoint/element-type.ts';
import { parseSafetensorsHeader } from '../../../exec/checkpoint/safetensors-header.ts';
import { openSafetensors } from '../../../exec/checkpoint/safetensors-file.ts';
import { encodeSafetensors, writeSafetensors } from '../../../exec/checkpoint/write-safetensors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const bytesOf = (header: string, data = 0, length = BigInt(Buffer.byteLength(header))): Buffer => {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length);
  return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(data)]);
};

const openBytes = async (bytes: Uint8Array) => {
  const path = join(folder, 'case.safetensors');
  await writeFile(path, bytes);
  const file = await openSafetensors(path);
  if (E.isRight(file)) await file.right.close();
  return file;
};

const messagesOf = (result: E.Either<readonly { path: string; message: string }[], unknown>): string[] =>
  E.isLeft(result) ? result.left.map(({ path, message }) => `${path}: ${message}`) : [];

describe('safetensors', () => {
  test('come back as they were written', async () => {
    const tensor = fc
      .array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 })
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.float32Array({ minLength: shape.reduce((a, b) => a * b, 1), maxLength: shape.reduce((a, b) => a * b, 1) }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((name) => name !== '__metadata__'),
          tensor,
          { maxKeys: 4 },
        ),
        async (tensors) => {
          const path = join(folder, 'round.safetensors');
          await writeSafetensors(
            path,
            Object.entries(tensors).map(([name, [shape, values]]) => ({ name, shape, values })),
          );
          const file = await openSafetensors(path);
          if (E.isLeft(file)) throw new Error(messagesOf(file).join('\n'));
          expect([...file.right.entries.keys()].sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, [shape, values]] of Object.entries(tensors)) {
            expect(file.right.entries.get(name)!.shape).toEqual(shape);
            expect(await file.right.read(name)).toEqual(E.right(values));
          }
          await file.right.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('start their data at a multiple of eight bytes, as the reference implementation does', () => {
    const [length, header] = encodeSafetensors([{ name: 'abc', shape: [1], values: Float32Array.of(1) }]);
    expect((length!.length + header!.length) % 8).toBe(0);
  });

  test('widen half and brain floats to the numbers they stand for', () => {
    const half = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0xfc00, 0x3555);
    expect([...decodeFloats(new Uint8Array(half.buffer), 'F16')]).toEqual([
      0,
      -0,
      1,
      -2,
      2 ** -24,
      1023 * 2 ** -24,
      65504,
      Infinity,
      -Infinity,
      0.333251953125,
    ]);
    expect(decodeFloats(Uint8Array.of(0x00, 0x7e), 'F16')[0]).toBeNaN();
    const brain = Uint16Array.of(0x0000, 0x3f80, 0xc000, 0x7f80, 0x3eab);
    expect([...decodeFloats(new Uint8Array(brain.buffer), 'BF16')]).toEqual([0, 1, -2, Infinity, 0.333984375]);
    const unaligned = new Uint8Array([9, ...new Uint8Array(Float32Array.of(1.5).buffer)]).subarray(1);
    expect([...decodeFloats(unaligned, 'F32')]).toEqual([1.5]);
  });

  test('are read by their own bytes only, from a file far larger than memory', async () => {
    const path = join(folder, 'huge.safetensors');
    const huge = 2 ** 40;
    await writeFile(
      path,
      bytesOf(
        `{"huge":{"dtype":"F32","shape":[${huge / 4}],"data_offsets":[0,${huge}]},"w":{"dtype":"F32","shape":[2],"data_offsets":[${huge},${huge + 8}]}}`,
      ),
    );
    await truncate(path, (await stat(path)).size + huge + 8);
    const file = await openSafetensors(path);
    if (E.isLeft(file)) throw new Error(messagesOf(file).join('\n'));
    expect(await file.right.read('w')).toEqual(E.right(Float32Array.of(0, 0)));
    expect(messagesOf(await file.right.read('huge'))).toEqual([expect.stringContaining('huge: cannot be read')]);
    await file.right.close();
    await rm(path);
  });

  test('name a tensor that is missing or holds no floats', async () => {
    const path = join(folder, 'integers.safetensors');
    await writeFile(path, bytesOf('{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', 8));
    const file = await openSafetensors(path);
    if (E.isLeft(file)) throw new Error('the file is well-formed');
    expect(messagesOf(await file.right.read('ids'))).toEqual(['ids: holds I64 values; F32, F16 and BF16 can be read']);
    expect(messagesOf(await file.right.read('other'))).toEqual(['other: the tensor is missing']);
    await file.right.close();
  });
});

describe('a hostile safetensors file is refused when', () => {
  test.each<[string, Buffer, string]>([
    ['it is too short for a length', Buffer.alloc(5), ': has 5 bytes; a safetensors file has at least 8'],
    ['its header would reach beyond the file', bytesOf('{}', 0, 3n), ': its header claims 3 bytes, the file has 10'],
    [
      'its header length is absurd',
      bytesOf('{}', 0, 2n ** 63n),
      ': its header claims 9223372036854776000 bytes, the file has 10',
    ],
    ['its header is not JSON', bytesOf('{"a":'), ': the header is not a JSON object'],
    ['its header is a list', bytesOf('[]'), ': the header is not a JSON object'],
    ['bytes belong to no tensor', bytesOf('{}', 4), ': bytes 0 to 4 of the data belong to no tensor'],
  ])('%s', async (_, bytes, message) => {
    expect(messagesOf(await openBytes(bytes))).toEqual([message]);
  });

  const entry = (changes: object): string =>
    JSON.stringify({ w: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...changes } });

  test.each<[string, string, string]>([
    ['a type is unknown', entry({ dtype: 'F31' }), 'w: dtype is "F31", which is not a safetensors type'],
    [
      'a type is a property of every object',
      entry({ dtype: 'constructor' }),
      'w: dtype is "constructor", which is not a safetensors type',
    ],
    ['a size is negative', entry({ shape: [-2] }), 'w: shape is [-2]; expected whole numbers'],
    ['a size is not whole', entry({ shape: [0.5] }), 'w: shape is [0.5]; expected whole numbers'],
    [
      'a shape is a huge count',
      entry({ shape: [1e15, 1e15] }),
      'w: shape [1000000000000000,1000000000000000] of F32 takes 4e+30 bytes, data_offsets give 8',
    ],
    [
      'the element count does not match',
      entry({ shape: [3] }),
      'w: shape [3] of F32 takes 12 bytes, data_offsets give 8',
    ],
    [
      'a range runs backwards',
      entry({ data_offsets: [8, 0] }),
      'w: data_offsets is [8,0]; expected [begin, end] with 0 ≤ begin ≤ end',
    ],
    [
      'a range starts before the data',
      entry({ data_offsets: [-8, 0] }),
      'w: data_offsets is [-8,0]; expected [begin, end] with 0 ≤ begin ≤ end',
    ],
    [
      'a range has three ends',
      entry({ data_offsets: [0, 8, 8] }),
      'w: data_offsets is [0,8,8]; expected [begin, end] with 0 ≤ begin ≤ end',
    ],
    [
      'a range ends after the data',
      entry({ shape: [4], data_offsets: [0, 16] }),
      'w: ends at byte 16 of the data, which has only 8',
    ],
    ['an entry is no object', '{"w":7}', 'w: the entry is 7; expected an object with dtype, shape and data_offsets'],
  ])('%s', (_, header, message) => {
    expect(messagesOf(parseSafetensorsHeader(header, 8))).toEqual([message]);
  });

  test('two ranges overlap, with a hole after them', () => {
    const header =
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}';
    expect(messagesOf(parseSafetensorsHeader(header, 12))).toEqual([
      'b: starts at byte 4, inside the tensor before it, which ends at 8',
      ': bytes 8 to 12 of the data belong to no tensor',
    ]);
  });

  test('a name appears twice, also when it is written differently', () => {
    const one = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
    expect(messagesOf(parseSafetensorsHeader(`{"w":${one},"w":${one}}`, 8))).toEqual([
      'w: this tensor name appears more than once in the header',
    ]);
    expect(messagesOf(parseSafetensorsHeader(`{"w" :${one},"\\u0077":${one}}`, 8))).toEqual([
      'w: this tensor name appears more than once in the header',
    ]);
    const metadata = '"__metadata__":{"w":"w","note":"\\"w\\":1"}';
    expect(messagesOf(parseSafetensorsHeader(`{${metadata},"w":${one}}`, 8))).toEqual([]);
  });

  test('any byte of a good file is changed or the file is cut: an answer, never an exception', async () => {
    const good = Buffer.concat(
      encodeSafetensors([
        { name: 'a', shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) },
        { name: 'b', shape: [3], values: Float32Array.of(5, 6, 7) },
      ]),
    );
    const change = fc.record({
      at: fc.integer({ min: 0, max: good.length - 1 }),
      to: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 4 }),
        fc.integer({ min: 0, max: good.length }),
        async (changes, length) => {
          const bytes = Buffer.from(good);
          changes.forEach(({ at, to }) => (bytes[at] = to));
          await writeFile(join(folder, 'fuzz.safetensors'), bytes.subarray(0, length));
          const file = await openSafetensors(join(folder, 'fuzz.safetensors'));
          if (E.isLeft(file)) return;
          for (const { name, begin, end } of file.right.entries.values()) {
            const values = await file.right.read(name);
            if (E.isRight(values)) expect(values.right.length).toBeLessThanOrEqual(end - begin);
          }
          await file.right.close();
        },
      ),
      { numRuns: 400 },
    );
  });

  test('any JSON is given as a header: an answer, never an exception', () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer(), fc.double(), fc.constant(null));
    const entryOf = fc.record(
      {
        dtype: fc.constantFrom('F32', 'BF16', 'I64', 'X'),
        shape: fc.array(size, { maxLength: 3 }),
        data_offsets: fc.array(size, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(entryOf, fc.jsonValue())),
        fc.integer({ min: 0, max: 64 }),
        (header, dataBytes) => {
          const parsed = parseSafetensorsHeader(JSON.stringify(header), dataBytes);
          if (E.isLeft(parsed)) return;
          const covered = [...parsed.right.values()].reduce((sum, { begin, end }) => sum + end - begin, 0);
          expect(covered).toBe(dataBytes);
        },
      ),
      { numRuns: 400 },
    );
  });
});

test('writing into a folder that is none fails with the system error and leaves nothing behind', async () => {
  const path = join(folder, 'plain-file');
  await writeFile(path, 'x');
  await expect(writeSafetensors(join(path, 'a.safetensors'), [])).rejects.toThrow('ENOTDIR');
  expect(await readFile(path, 'utf8')).toBe('x');
});
