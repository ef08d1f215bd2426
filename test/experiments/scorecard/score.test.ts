import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DataSet, Observation, Target } from '../../../experiments/scorecard/data-set.ts';
import { SCORECARD } from '../../../experiments/scorecard/data-sets.ts';
import { score } from '../../../experiments/scorecard/score.ts';
import { readShipped } from '../../../experiments/scorecard/shipped-file.ts';

type Line = DataSet<number, 'y'>;

/** y = slope · x with the slope of the rows it is fitted on. */
const line = (points: Readonly<Record<string, readonly [x: number, y: number]>>, fit: readonly string[], target: Target<number> | null): Line => ({
  name: 'line',
  source: 'made up',
  rows: Object.entries(points).map(([id, [x, y]]) => ({ id, input: x, measured: { y } })),
  split: { rule: 'as given', fit, test: Object.keys(points).filter((id) => !fit.includes(id)) },
  fit: (rows) => {
    const slope = rows.reduce((sum, { input, measured }) => sum + measured.y! / input, 0) / rows.length;
    return { constants: [{ name: 'slope', value: slope, unit: '' }], predict: (x) => ({ y: slope * x }) };
  },
  measures: [{ name: 'y', quantity: 'y', unit: 'm', target }],
  notes: [],
});

/** A row that may be predicted but not looked at. */
const sealed = <Input, Quantity extends string>(row: Observation<Input, Quantity>): Observation<Input, Quantity> =>
  Object.defineProperty({ ...row }, 'measured', {
    get: () => {
      throw new Error(`${row.id} was read`);
    },
  });

/** Those of the whole data set, which `report.test.ts` compares with a rerun. */
const committedConstants = (name: string): readonly number[] =>
  (JSON.parse(readShipped('scorecard.json')) as readonly { readonly name: string; readonly constants: readonly { readonly value: number }[] }[])
    .find((entry) => entry.name === name)!
    .constants.map(({ value }) => value);

describe('score', () => {
  test('fits on the rows of the split and tests on the others', () => {
    const [measure] = score(line({ a: [1, 2], b: [2, 4], c: [10, 16], d: [10, 25] }, ['a', 'b'], null)).measures;
    expect(measure!.fit).toEqual({ points: 2, mean: 0, median: 0, worst: 0, worstId: 'a', bias: 0 });
    expect(measure!.test.points).toBe(2);
    expect(measure!.test.mean).toBeCloseTo((0.25 + 0.2) / 2, 12);
    expect(measure!.test.worstId).toBe('c');
    expect(measure!.test.bias).toBeCloseTo((0.25 - 0.2) / 2, 12);
  });

  test('hands the fit no test row', () => {
    const given: string[] = [];
    const whole = line({ a: [1, 2], b: [2, 4], c: [10, 20] }, ['a'], null);
    score({ ...whole, fit: (rows) => (given.push(...rows.map(({ id }) => id)), whole.fit(rows)) });
    expect(given).toEqual(['a']);
  });

  test.each(SCORECARD)('fits $name without a look at the measurements of its test rows', ({ use }) => {
    use((dataSet) => {
      const withSealed = { ...dataSet, rows: dataSet.rows.map((row) => (dataSet.split.test.includes(row.id) ? sealed(row) : row)) };
      const { constants } = score({ ...withSealed, measures: [] });
      expect(constants.map(({ value }) => Number(value.toPrecision(6)))).toEqual(committedConstants(dataSet.name));
    });
  }, 120_000);

  test.each<[Target<number>, string, boolean]>([
    [{ kind: 'meanError', below: 0.2 }, '15.00 %', true],
    [{ kind: 'meanError', below: 0.15 }, '15.00 %', false],
    [{ kind: 'worstError', atMost: 0.25 }, '20.00 %', true],
    [{ kind: 'worstDifference', atMost: 1 }, '2 m', false],
    [{ kind: 'decimals', places: 0 }, '0 of 2', false],
    [{ kind: 'order', group: () => 'all' }, '1 of 1', true],
    [{ kind: 'order', group: String }, '0 of 0', true],
  ])('%j is judged on the test rows alone', (target, reached, passed) => {
    const dataSet = line({ a: [1, 2], c: [4, 10], d: [5, 100 / 9] }, ['a'], target);
    expect(score(dataSet).measures[0]!.verdict).toMatchObject({ reached, passed });
  });

  test('a wrong order is found', () => {
    const { measures } = score(line({ a: [1, 1], b: [2, 9], c: [3, 5] }, ['a'], { kind: 'order', group: () => 'all' }));
    expect(measures[0]!.verdict).toEqual({ target: 'order kept', reached: '0 of 1', passed: false });
  });

  test.each([
    [['a', 'nobody'], ['b'], 'unknown: nobody'],
    [['a'], [], 'no rows are left for the test; in neither part: b'],
    [['a', 'b'], ['b'], 'named twice: b'],
  ])('a split with fit rows %j and test rows %j is refused', (fit, tested, message) => {
    const dataSet = line({ a: [1, 1], b: [1, 1] }, ['a'], null);
    expect(() => score({ ...dataSet, split: { rule: '', fit, test: tested } })).toThrow(message);
  });

  test('a prediction that is no number does not drop out of the average', () => {
    const dataSet = line({ a: [1, 1], b: [1, 1] }, ['a'], null);
    expect(() => score({ ...dataSet, fit: () => ({ constants: [], predict: () => ({ y: NaN }) }) })).toThrow('y of a is predicted as NaN');
  });

  test('errors do not depend on the order of the rows', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 99 })), { minLength: 2, maxLength: 8 }), (points) => {
        const named = points.map((point, index) => [`row${index}`, point] as const);
        const [forwards, backwards] = [named, [...named].reverse()].map((rows) => score(line(Object.fromEntries(rows), ['row0'], null)).measures[0]!.test);
        expect(backwards!.mean).toBeCloseTo(forwards!.mean, 10);
        expect(backwards!.median).toBeCloseTo(forwards!.median, 10);
        expect(backwards!.worst).toBeCloseTo(forwards!.worst, 10);
      }),
    );
  });
});
