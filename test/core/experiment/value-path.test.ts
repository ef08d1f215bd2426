import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { parsePath, replaceAt } from '../../../core/experiment/value-path.ts';

describe('a path inside a value', () => {
  test.each([
    ['schedule.type', ['schedule', 'type']],
    ['model', ['model']],
    ['jobs[0].adapter.rank', ['jobs', 0, 'adapter', 'rank']],
    ['a[1][2].b-c', ['a', 1, 2, 'b-c']],
  ])('%s is taken apart', (text, segments) => {
    expect(parsePath(text)).toEqual(segments);
  });

  test.each(['', '.', 'a..b', 'a.', 'a[x]', 'a[1', 'a b', 'jobs[-1]', 'a]'])('%j is none', (text) => {
    expect(parsePath(text)).toBeNull();
  });

  test('gets its value and nothing else changes', () => {
    const base = { schedule: { type: 'lorapp', microbatches: 4 }, jobs: [{ name: 'a' }, { name: 'b' }] };
    expect(replaceAt(base, ['schedule', 'type'], '1f1b')).toEqual(E.right({ ...base, schedule: { type: '1f1b', microbatches: 4 } }));
    expect(replaceAt(base, ['jobs', 1, 'adapter', 'rank'], 8)).toEqual(E.right({ ...base, jobs: [{ name: 'a' }, { name: 'b', adapter: { rank: 8 } }] }));
    expect(base.jobs).toEqual([{ name: 'a' }, { name: 'b' }]);
  });

  test('that there is no place for says why', () => {
    expect(replaceAt({ jobs: [1] }, ['jobs', 3], 0)).toEqual(E.left("the list has 1 entries, so none at [3]"));
    expect(replaceAt({ jobs: {} }, ['jobs', 0], 0)).toEqual(E.left('there is no list for [0]'));
    expect(replaceAt({ model: 'x' }, ['model', 'layers'], 0)).toEqual(E.left('there is no mapping for layers'));
  });

  test('is read back where it was written', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(keys, keys, fc.integer(), (first, second, value) => {
        const one = replaceAt({}, first, { leaf: value });
        const two = E.chain((content) => replaceAt(content, [...first, 'leaf'], value + 1))(one);
        const read = (content: unknown): unknown => [...first, 'leaf'].reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], content);
        expect(E.map(read)(two)).toEqual(E.right(value + 1));
        expect(E.map(read)(E.chain((content) => replaceAt(content, ['other', ...second], 0))(two))).toEqual(E.right(value + 1));
      }),
    );
  });
});
