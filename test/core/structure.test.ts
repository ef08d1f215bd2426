import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { fraction, nonEmptyText, positiveNumber, wholeNumber } from '../../core/leaves.ts';
import { nearest } from '../../core/nearest.ts';
import { chosen, closed, inside, isRecord, oneOf, pathText, readStructure } from '../../core/structure.ts';

const problemsOf = <T>(schema: z.ZodType<T>, value: unknown): string[] => {
  const result = readStructure(schema, value);
  return E.isLeft(result) ? result.left.map(({ path, message }) => `${path}: ${message}`) : [];
};

describe('paths', () => {
  it('read as in a program', () => {
    expect(pathText(['jobs', 2, 'adapter', 'rank'])).toBe('jobs[2].adapter.rank');
    expect(inside('jobs', 0)(['name'])).toBe('jobs[0].name');
  });

  it('quote keys that would look like something else', () => {
    expect(pathText(['a', 'b.c\n'])).toBe('a["b.c\\n"]');
  });
});

describe('a structure', () => {
  const schema = closed({
    rank: wholeNumber(1),
    mode: oneOf(['fast', 'slow'] as const).default('fast'),
    inner: closed({ list: z.array(positiveNumber) }),
  });

  it('is read with its defaults', () => {
    const read = readStructure(schema, { rank: 3, inner: { list: [1.5] } });
    expect(read).toEqual(E.right({ rank: 3, mode: 'fast', inner: { list: [1.5] } }));
  });

  it('reports everything at once, with path, value and expectation', () => {
    expect(problemsOf(schema, { rnak: 2, mode: 'fats', inner: { list: [1, 'x', -1], more: 1, lits: 2 } })).toEqual([
      'rank: is missing; expected a whole number of at least 1',
      'mode: is "fats"; expected one of fast, slow; did you mean fast?',
      'inner.list[1]: is "x"; expected a number above 0',
      'inner.list[2]: is -1; expected a number above 0',
      'inner.more: unknown key; known keys: list',
      'inner.lits: unknown key; did you mean list?',
      'rnak: unknown key; did you mean rank?',
    ]);
  });

  it('names mappings and lists as such', () => {
    expect(problemsOf(schema, { rank: 1, inner: 7 })).toEqual(['inner: is 7; expected a mapping of keys to values']);
    expect(problemsOf(schema, { rank: 1, inner: { list: {} } })).toEqual(['inner.list: is {}; expected a list']);
  });

  it('keeps paths and messages of the alternative that was chosen', () => {
    const either = closed({
      gpu: chosen<unknown>((value) => (isRecord(value) ? closed({ rank: wholeNumber(1) }) : nonEmptyText)),
    });
    expect(problemsOf(either, { gpu: { rank: 0, x: 1 } })).toEqual([
      'gpu.rank: is 0; expected a whole number of at least 1',
      'gpu.x: unknown key; known keys: rank',
    ]);
    expect(problemsOf(either, { gpu: '' })).toEqual(['gpu: is ""; expected a text that is not empty']);
    expect(problemsOf(either, { gpu: 'A40' })).toEqual([]);
  });

  it('never throws, whatever the value', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => E.isLeft(readStructure(schema, value)) || isRecord(value)));
  });
});

describe('numbers', () => {
  it('are checked against their range', () => {
    for (const value of [0, 1.5, '3', NaN, Infinity, 2 ** 60, null])
      expect(problemsOf(wholeNumber(1), value)).toHaveLength(1);
    expect(problemsOf(wholeNumber(1, 4), 5)).toEqual([': is 5; expected a whole number from 1 to 4']);
    expect(problemsOf(fraction, 0)).toEqual([]);
    expect(problemsOf(fraction, 1)).toHaveLength(1);
  });
});

describe('the nearest known word', () => {
  const words = ['rank', 'alpha', 'learningRate'];

  it('is found through slips of the finger', () => {
    expect(nearest('rnak', words)).toBe('rank');
    expect(nearest('learning_rate', words)).toBe('learningRate');
    expect(nearest('ALPHA', words)).toBe('alpha');
  });

  it('is nothing when no word is near', () => {
    expect(nearest('zzzz', words)).toBeNull();
    expect(nearest('q', words)).toBeNull();
    expect(nearest('rank', [])).toBeNull();
  });
});
