import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { show } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import type { RowFields } from './prompt-template.ts';
import type { RawRow } from './raw-rows.ts';

const asFields = (json: unknown): E.Either<string, RowFields> =>
  isRecord(json) ? E.right(json) : E.left(`expected a JSON object, found ${show(json)}`);

const parseLine = (line: string): E.Either<string, RowFields> => {
  try {
    return asFields(JSON.parse(line));
  } catch {
    return E.left(`is not JSON: ${show(line)}`);
  }
};

/** One JSON object a line; blank lines are skipped. */
export const parseJsonLines = (text: string): readonly RawRow[] =>
  text
    .split('\n')
    .map((line, index) => ({ line, place: `line ${index + 1}` }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, place }) => ({ place, fields: parseLine(line) }));

/** A list of JSON objects. Left: the text is no list. */
export const parseJsonArray = (text: string): E.Either<string, readonly RawRow[]> => {
  try {
    const json: unknown = JSON.parse(text);
    if (!Array.isArray(json)) return E.left(`expected a list of objects, found ${show(json)}`);
    return E.right(json.map((row: unknown, index) => ({ place: `row ${index + 1}`, fields: asFields(row) })));
  } catch (error) {
    return E.left(`is not JSON: ${messageOf(error)}`);
  }
};
