import { parse, CsvError, type Info } from 'csv-parse/sync';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { show } from '../../core/problem.ts';
import type { RawRow } from './raw-rows.ts';

/** A record with the number of the line it ends on, as the library gives it with `info`. */
interface CsvRecord {
  readonly record: Readonly<Record<string, string>>;
  readonly info: Info;
}

const wrongHeader = (names: readonly string[]): string | undefined => {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) return `its header row names ${show(repeated)} twice`;
  return names.includes('') ? `its header row has a column without a name: ${show(names)}` : undefined;
};

const place = (line: number): string => `line ${line}`;

/**
 * Comma-separated values (RFC 4180) with a header row; every field is a text. A record whose number of fields is not
 * the header's is a wrong row. Left: header or quotes are broken, so that no row can be told.
 */
export const parseCsv = (text: string): E.Either<string, readonly RawRow[]> => {
  const rows: { line: number; row: RawRow }[] = [];
  const wrong = ({ message, lines }: CsvError & { readonly lines?: number }): void => {
    rows.push({ line: lines ?? 0, row: { place: place(lines ?? 0), fields: E.left(message) } });
  };
  try {
    const records = parse(text, {
      columns: (names: readonly string[]) => {
        const problem = wrongHeader(names);
        if (problem !== undefined) throw new Error(problem);
        return [...names];
      },
      info: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      on_skip: (error) => {
        if (error !== undefined) wrong(error);
      },
    }) as unknown as readonly CsvRecord[];
    records.forEach(({ record, info }) => rows.push({ line: info.lines, row: { place: place(info.lines), fields: E.right(record) } }));
    return E.right(rows.sort((a, b) => a.line - b.line).map(({ row }) => row));
  } catch (error) {
    return E.left(messageOf(error));
  }
};
