import * as E from 'fp-ts/lib/Either.js';
import { problem, type Problems } from '../../core/problem.ts';
import { parseCsv } from './csv-rows.ts';
import { parseJsonArray, parseJsonLines } from './json-rows.ts';
import { parseParquet } from './parquet-rows.ts';
import type { RowFields } from './prompt-template.ts';

/** One row as the file has it; Left says why it is none. */
export interface RawRow {
  /** Where it stands, e.g. `line 3`; rows are counted from 1. */
  readonly place: string;
  readonly fields: E.Either<string, RowFields>;
}

type Reader = (bytes: Uint8Array<ArrayBuffer>) => E.Either<Problems, readonly RawRow[]> | Promise<E.Either<Problems, readonly RawRow[]>>;

const failure = (message: string): E.Either<Problems, never> => E.left([problem('', message)]);

const ofText =
  (parse: (text: string) => E.Either<string, readonly RawRow[]>): Reader =>
  (bytes) => {
    try {
      return E.mapLeft((message: string): Problems => [problem('', message)])(
        parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
      );
    } catch {
      return failure('is not UTF-8 text');
    }
  };

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['.jsonl', ofText((text) => E.right(parseJsonLines(text)))],
  ['.json', ofText(parseJsonArray)],
  ['.csv', ofText(parseCsv)],
  ['.parquet', async (bytes) => E.mapLeft((message: string): Problems => [problem('', message)])(await parseParquet(bytes.buffer))],
]);

/** Rows of a data file in file order, read as its ending says. Left: the file as a whole cannot be read. */
export const parseRows = async (
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<E.Either<Problems, readonly RawRow[]>> => {
  const ending = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? '';
  const read = READERS.get(ending);
  return read === undefined
    ? failure(`has the ending ${JSON.stringify(ending)}; expected one of ${[...READERS.keys()].join(', ')}`)
    : read(bytes);
};
