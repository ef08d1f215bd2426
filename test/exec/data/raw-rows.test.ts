import { readFile } from 'node:fs/promises';
import * as E from 'fp-ts/lib/Either.js';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRows } from '../../../exec/data/raw-rows.ts';

/** Rows as `place: fields or what is wrong`, or the file's problems. */
const read = async (name: string, content: string | Uint8Array): Promise<unknown[]> => {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content);
  const rows = await parseRows(name, bytes);
  if (E.isLeft(rows)) return rows.left.map(({ message }) => message);
  return rows.right.map(({ place, fields }) => [place, E.isLeft(fields) ? fields.left : fields.right]);
};

describe('the format of a data file', () => {
  test('is told by its ending, whatever its case', async () => {
    expect(await read('a.b/x.JSONL', '\uFEFF{"a":1}\n\n{"a":2}')).toEqual([
      ['line 1', { a: 1 }],
      ['line 3', { a: 2 }],
    ]);
    expect(await read('x.json', '[{"a":1},7]')).toEqual([
      ['row 1', { a: 1 }],
      ['row 2', 'expected a JSON object, found 7'],
    ]);
  });

  test('that is not known is a problem with the endings that are', async () => {
    expect(await read('x.txt', '')).toEqual(['has the ending ".txt"; expected one of .jsonl, .json, .csv, .parquet']);
    expect(await read('folder.d/x', '')).toEqual([expect.stringContaining('has the ending ""')]);
  });

  test.each([
    ['text that is not UTF-8', 'x.jsonl', Uint8Array.of(0x7b, 0xff), 'is not UTF-8 text'],
    ['JSON that is no list', 'x.json', '{"a":1}', 'expected a list of objects, found {"a":1}'],
    ['JSON that breaks off', 'x.json', '[{"a":1}', expect.stringContaining('is not JSON: ')],
    ['a column named twice', 'x.csv', 'a,b,a\n1,2,3\n', 'its header row names "a" twice'],
    ['a column without a name', 'x.csv', 'a,\n1,2\n', 'its header row has a column without a name: ["a",""]'],
    ['Parquet without its end mark', 'x.parquet', 'PAR1', expect.stringContaining('cannot be read as Parquet: ')],
  ])('%s cannot be read', async (_, name, content, message) => {
    expect(await read(name, content)).toEqual([message]);
  });
});

describe('CSV', () => {
  test('fields may hold commas, quotes and line breaks; rows are counted by the line they end on', async () => {
    expect(await read('x.csv', 'q,a\r\n"one, ""two""","x\ny"\r\n\r\nb,\r\n')).toEqual([
      ['line 3', { q: 'one, "two"', a: 'x\ny' }],
      ['line 5', { q: 'b', a: '' }],
    ]);
  });

  test('every row with too few or too many fields is reported, in its place', async () => {
    expect(await read('x.csv', 'q,a\n1\n2,3\n4,5,6\n')).toEqual([
      ['line 2', expect.stringContaining('length is 2, got 1')],
      ['line 3', { q: '2', a: '3' }],
      ['line 4', expect.stringContaining('length is 2, got 3')],
    ]);
  });

  test('any texts come back as they were written', async () => {
    const fields = fc.record({ q: fc.string({ unit: 'grapheme', minLength: 1 }), a: fc.string({ unit: 'grapheme' }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 5 }), async (rows) => {
        const written = stringify(rows, { header: true, columns: ['q', 'a'], quoted: true });
        expect((await read('x.csv', written)).map((row) => (row as [string, unknown])[1])).toEqual(rows);
      }),
    );
  });
});

describe('Parquet as pyarrow writes it', () => {
  const file = (compression: string): Promise<Uint8Array> =>
    readFile(new URL(`../../reference/parquet/rows.${compression}.parquet`, import.meta.url));

  test.each(['snappy', 'gzip'])('compressed with %s holds texts, numbers and lists', async (compression) => {
    expect(await read('x.parquet', await file(compression))).toEqual([
      ['row 1', { question: 'one, "two"', count: 1, messages: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }] }],
      ['row 2', { question: 'grüße\n次', count: 2 ** 40, messages: [] }],
      ['row 3', { question: null, count: null, messages: [] }],
    ]);
  });

  test('compressed in another way names it', async () => {
    expect(await read('x.parquet', await file('zstd'))).toEqual(['cannot be read as Parquet: parquet unsupported compression codec: ZSTD']);
  });

  test('with a column that its schema does not name is refused as a whole', async () => {
    const bytes = Buffer.from(await file('gzip'));
    // The last mention of it is the row group's; the schema's comes before.
    bytes.write('x', bytes.lastIndexOf('count'));
    const [message] = await read('x.parquet', bytes);
    expect(message).toMatch(/row group 1 holds the columns question, xount, .*; its schema has question, count, /);
  });

  test('with bytes changed or cut off gives an answer, never an exception', async () => {
    const good = await file('gzip');
    const change = fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.integer({ min: 1, max: good.length }), async (changes, length) => {
        const bytes = new Uint8Array(good);
        changes.forEach(({ at, to }) => (bytes[at] = to));
        expect(Array.isArray(await read('x.parquet', bytes.subarray(0, length)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
