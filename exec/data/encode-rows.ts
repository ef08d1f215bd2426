import * as E from 'fp-ts/lib/Either.js';
import { problem, show, type Problem, type Problems } from '../../core/problem.ts';
import { NO_TARGET, type Row } from '../packed-batch.ts';
import type { PromptTemplate, RowFields } from './prompt-template.ts';
import { buildRowTable, countTargets, type RowTable } from './row-table.ts';
import type { TextCodec } from './tokenizer.ts';

/** How the rows of a data file become tokens. */
export interface RowEncoding {
  readonly codec: TextCodec;
  readonly prompt: PromptTemplate;
  readonly completion: PromptTemplate;
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
 * `[begin] prompt completion [end]`, cut to the maximum length; every token after the prompt is the target of the
 * position before it. Prompt and completion are tokenized as one text, so that tokenizers which mark the start of a
 * text do not mark the completion; a token across the border counts as completion, as generation would have to make it.
 */
export const encodeRow = (prompt: string, completion: string, { codec, maximumLength }: RowEncoding): Row => {
  const begin = codec.begin === null ? [] : [codec.begin];
  const text = codec.encode(prompt + completion);
  const promptEnd = begin.length + sharedPrefix(codec.encode(prompt), text);
  const tokens = Int32Array.from([...begin, ...text, codec.end].slice(0, maximumLength));
  const targets = tokens.map((_, i) => (i + 1 >= promptEnd ? (tokens[i + 1] ?? NO_TARGET) : NO_TARGET));
  return { tokens, targets };
};

type Attempt<A> = E.Either<readonly string[], A>;

const parseLine = (line: string): Attempt<RowFields> => {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return E.right(json as RowFields);
    return E.left([`expected a JSON object, found ${show(json)}`]);
  } catch {
    return E.left([`is not JSON: ${show(line)}`]);
  }
};

const missingFields = (row: RowFields, role: string, template: PromptTemplate): readonly string[] =>
  template.fields
    .filter((field) => !Object.hasOwn(row, field) || row[field] === null)
    .map((field) => `field ${show(field)} is missing, which the ${role} template prints; the row has ${show(Object.keys(row))}`);

const renderTexts = (row: RowFields, encoding: RowEncoding): Attempt<readonly [string, string]> => {
  const missing = [
    ...missingFields(row, 'prompt', encoding.prompt),
    ...missingFields(row, 'completion', encoding.completion),
  ];
  if (missing.length > 0) return E.left(missing);
  try {
    return E.right([encoding.prompt.render(row), encoding.completion.render(row)]);
  } catch (error) {
    return E.left([`the template fails on this row: ${String(error)}`]);
  }
};

const checkRow = (row: Row, { codec, maximumLength, vocabularySize }: RowEncoding): readonly string[] => {
  const foreign = row.tokens.find((token) => token >= vocabularySize || token < 0);
  if (foreign !== undefined) {
    return [`token ${foreign} (${show(codec.decode([foreign]))}) is outside the model's vocabulary of ${vocabularySize}`];
  }
  return countTargets(row) > 0 ? [] : [`nothing of the completion is left within ${maximumLength} tokens: the prompt fills them`];
};

const encodeLine = (line: string, encoding: RowEncoding): Attempt<Row> => {
  const fields = parseLine(line);
  if (E.isLeft(fields)) return fields;
  const texts = renderTexts(fields.right, encoding);
  if (E.isLeft(texts)) return texts;
  const row = encodeRow(...texts.right, encoding);
  const wrong = checkRow(row, encoding);
  return wrong.length > 0 ? E.left(wrong) : E.right(row);
};

/** Rows of a JSONL text in file order; blank lines are skipped. Everything wrong is reported, with its line number. */
export const encodeRows = (text: string, encoding: RowEncoding): E.Either<Problems, RowTable> => {
  const rows: Row[] = [];
  const problems: Problem[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const row = encodeLine(line, encoding);
    if (E.isRight(row)) rows.push(row.right);
    else problems.push(...row.left.map((message) => problem(`line ${index + 1}`, message)));
  }
  if (rows.length === 0 && problems.length === 0) problems.push(problem('', 'holds no rows'));
  const [first, ...rest] = problems;
  return first === undefined ? E.right(buildRowTable(rows)) : E.left([first, ...rest]);
};
