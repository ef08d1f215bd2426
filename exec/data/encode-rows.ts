import * as E from 'fp-ts/lib/Either.js';
import { problem, show, type Problem, type Problems } from '../../core/problem.ts';
import { NO_TARGET, type Row } from '../packed-batch.ts';
import type { RawRow } from './raw-rows.ts';
import type { RenderedRow, RenderRow } from './render-row.ts';
import { buildRowTable, countTargets, type RowTable } from './row-table.ts';
import type { TextCodec } from './tokenizer.ts';

/** How the rows of a data file become tokens. */
export interface RowEncoding {
  readonly codec: TextCodec;
  readonly render: RenderRow;
  /** Whether prompts carry loss too. */
  readonly loss: 'completion' | 'all';
  /** Longer rows are cut at the end. */
  readonly maximumLength: number;
  /** Token ids the model knows are below this. */
  readonly vocabularySize: number;
}

const sharedPrefix = (a: readonly number[], b: readonly number[]): number => {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
};

/**
 * A row cut to the maximum length; every token of a completion is the target of the position before it. The text is
 * tokenized as a whole, so that tokenizers which mark the start of a text do not mark a completion; a token across the
 * border counts as completion, as generation would have to make it.
 */
export const encodeRow = ({ text, completions, framed }: RenderedRow, encoding: Omit<RowEncoding, 'render'>): Row => {
  const { codec, loss, maximumLength } = encoding;
  const content = codec.encode(text);
  const begin = framed && codec.begin !== null ? [codec.begin] : [];
  const end = framed ? [codec.end] : [];
  const place = (character: number): number =>
    begin.length +
    (character === text.length ? content.length + end.length : sharedPrefix(codec.encode(text.slice(0, character)), content));
  const ranges = loss === 'all' ? [[0, Infinity] as const] : completions.map(([from, to]) => [place(from), place(to)] as const);
  const isTarget = (index: number): boolean => ranges.some(([from, to]) => index >= from && index < to);
  const tokens = Int32Array.from([...begin, ...content, ...end].slice(0, maximumLength));
  const targets = tokens.map((_, i) => (isTarget(i + 1) ? (tokens[i + 1] ?? NO_TARGET) : NO_TARGET));
  return { tokens, targets };
};

const checkRow = (row: Row, { codec, maximumLength, vocabularySize }: RowEncoding): readonly string[] => {
  const foreign = row.tokens.find((token) => token >= vocabularySize || token < 0);
  if (foreign !== undefined) {
    return [`token ${foreign} (${show(codec.decode([foreign]))}) is outside the model's vocabulary of ${vocabularySize}`];
  }
  return countTargets(row) > 0 ? [] : [`nothing of the completion is left within ${maximumLength} tokens: the prompt fills them`];
};

const encodeRaw = ({ fields }: RawRow, encoding: RowEncoding): E.Either<readonly string[], Row> => {
  if (E.isLeft(fields)) return E.left([fields.left]);
  const rendered = encoding.render(fields.right);
  if (E.isLeft(rendered)) return rendered;
  const row = encodeRow(rendered.right, encoding);
  const wrong = checkRow(row, encoding);
  return wrong.length > 0 ? E.left(wrong) : E.right(row);
};

/** Rows of a data file in its order. Left: everything wrong with every row, by its place in the file. */
export const encodeRows = (raw: readonly RawRow[], encoding: RowEncoding): E.Either<Problems, RowTable> => {
  const rows: Row[] = [];
  const problems: Problem[] = [];
  for (const each of raw) {
    const row = encodeRaw(each, encoding);
    if (E.isRight(row)) rows.push(row.right);
    else problems.push(...row.left.map((message) => problem(each.place, message)));
  }
  if (rows.length === 0 && problems.length === 0) problems.push(problem('', 'holds no rows'));
  const [first, ...rest] = problems;
  return first === undefined ? E.right(buildRowTable(rows)) : E.left([first, ...rest]);
};
