import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { encodeRow as encodeRendered, encodeRows, type RowEncoding } from '../../../exec/data/encode-rows.ts';
import { compileTemplate, type PromptTemplate } from '../../../exec/data/prompt-template.ts';
import { parseJsonLines } from '../../../exec/data/json-rows.ts';
import { renderWithTemplates } from '../../../exec/data/render-row.ts';
import { rowAt } from '../../../exec/data/row-table.ts';
import type { TextCodec } from '../../../exec/data/tokenizer.ts';
import { NO_TARGET, type Row } from '../../../exec/packed-batch.ts';

/** One token per character, so that expectations can be read off the text. */
const characters: TextCodec = {
  encode: (text) => Array.from(text, (_, i) => text.charCodeAt(i)),
  decode: (tokens) => String.fromCharCode(...tokens),
  begin: 1,
  end: 2,
};

const template = (text: string): PromptTemplate => {
  const compiled = compileTemplate(text);
  if (E.isLeft(compiled)) throw new Error(compiled.left);
  return compiled.right;
};

const encoding = (changes: Partial<RowEncoding> = {}): RowEncoding => ({
  codec: characters,
  render: renderWithTemplates(template('{{ question }}?'), template('{{ answer }}')),
  loss: 'completion',
  maximumLength: 16,
  vocabularySize: 128,
  ...changes,
});

const code = (character: string): number => character.charCodeAt(0);
const NONE = NO_TARGET;

const encodeRow = (prompt: string, completion: string, encoding: RowEncoding): Row =>
  encodeRendered({ text: prompt + completion, completions: [[prompt.length, prompt.length + completion.length]], framed: true }, encoding);

const problemsOf = (text: string, changes?: Partial<RowEncoding>): readonly string[] => {
  const rows = encodeRows(parseJsonLines(text), encoding(changes));
  if (E.isRight(rows)) throw new Error('expected problems');
  return rows.left.map(({ path, message }) => `${path}: ${message}`);
};

describe('a training row', () => {
  it('opens and closes with the model’s tokens and asks for the completion and the end only', () => {
    const row = encodeRow('ab', 'xy', encoding());
    expect([...row.tokens]).toEqual([1, code('a'), code('b'), code('x'), code('y'), 2]);
    expect([...row.targets]).toEqual([NONE, NONE, code('x'), code('y'), 2, NONE]);
  });

  it('has no opening token where the tokenizer adds none', () => {
    const row = encodeRow('a', 'x', encoding({ codec: { ...characters, begin: null } }));
    expect([...row.tokens]).toEqual([code('a'), code('x'), 2]);
    expect([...row.targets]).toEqual([code('x'), 2, NONE]);
  });

  it('counts a token across the border as completion', () => {
    const pairs: TextCodec = { ...characters, encode: (text) => (text.match(/qu|./g) ?? []).map((t) => (t === 'qu' ? 9 : code(t))) };
    const row = encodeRow('aq', 'ux', encoding({ codec: pairs }));
    expect([...row.tokens]).toEqual([1, code('a'), 9, code('x'), 2]);
    expect([...row.targets]).toEqual([NONE, 9, code('x'), 2, NONE]);
  });

  it('carries loss on every token but the first where the job asks for all', () => {
    const row = encodeRow('ab', 'x', encoding({ loss: 'all' }));
    expect([...row.targets]).toEqual([code('a'), code('b'), code('x'), 2, NONE]);
  });

  it('is cut at the end: targets are those of the whole row, as far as they are left', () => {
    const texts = fc.tuple(fc.string(), fc.string(), fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(texts, ([prompt, completion, maximumLength]) => {
        const whole = encodeRow(prompt, completion, encoding({ maximumLength: 1000 }));
        const cut = encodeRow(prompt, completion, encoding({ maximumLength }));
        const length = Math.min(maximumLength, whole.tokens.length);
        expect([...cut.tokens]).toEqual([...whole.tokens.slice(0, length)]);
        expect([...cut.targets.slice(0, -1)]).toEqual([...whole.targets.slice(0, length - 1)]);
        expect(cut.targets.at(-1)).toBe(NONE);
      }),
    );
  });
});

describe('a data file', () => {
  it('becomes its rows in file order, blank lines skipped', () => {
    const rows = encodeRows(parseJsonLines('{"question":"a","answer":"b"}\n\n{"question":"cd","answer":"e"}\r\n'), encoding());
    if (E.isLeft(rows)) throw new Error('unexpected problems');
    expect(rows.right.length).toBe(2);
    expect([...rowAt(rows.right, 1).tokens]).toEqual([1, code('c'), code('d'), code('?'), code('e'), 2]);
  });

  it('reports every wrong line at once', () => {
    const problems = problemsOf(
      [
        '{"question":"a","answer":"b"}',
        'not json',
        '[1]',
        '{"question":"a"}',
        '{"other":1,"answer":null}',
        '{"question":"a much too long prompt","answer":"b"}',
        '{"question":"ü","answer":"b"}',
      ].join('\n'),
    );
    expect(problems).toEqual([
      'line 2: is not JSON: "not json"',
      'line 3: expected a JSON object, found [1]',
      'line 4: field "answer" is missing, which the completion template prints; the row has ["question"]',
      'line 5: field "question" is missing, which the prompt template prints; the row has ["other","answer"]',
      'line 5: field "answer" is missing, which the completion template prints; the row has ["other","answer"]',
      'line 6: nothing of the completion is left within 16 tokens: the prompt fills them',
      'line 7: token 252 ("ü") is outside the model\'s vocabulary of 128',
    ]);
  });

  it('without rows is a problem of the file', () => {
    expect(problemsOf('\n\n')).toEqual([': holds no rows']);
  });

  it('reports a template that fails on a row with the row’s line', () => {
    expect(problemsOf('{"question":"a","answer":"b"}', { render: renderWithTemplates(template('{{ question | nonsense }}'), template('x')) })[0]).toMatch(
      /^line 1: the template fails on this row: .*nonsense/,
    );
  });
});

describe('a prompt template', () => {
  const fields = (text: string): readonly string[] => template(text).fields;

  it('needs the fields it always prints, however it prints them', () => {
    expect(fields('{{ a }}{{ b.c }}{{ d | upper }}{{ e + "x" + f }}{{ g.strip() }}{{ h | join(",") }}')).toEqual(['a', 'b', 'd', 'e', 'f', 'g', 'h']);
  });

  it('does not need what stands in a condition, has a default or is set by itself', () => {
    expect(fields('{% if a %}{{ a }}{% endif %}{{ b | default("x") }}{% set c = 1 %}{{ c }}')).toEqual([]);
  });

  it('keeps a newline at its end', () => {
    expect(template('{{ a }}\n').render({ a: 'x' })).toBe('x\n');
  });

  it('that is none says so', () => {
    expect(E.isLeft(compileTemplate('{{ a'))).toBe(true);
    expect(E.isLeft(compileTemplate('{% if a %}'))).toBe(true);
  });
});
