import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawLengths } from '../../../core/experiment/synthetic.ts';

const seed = fc.nat(2 ** 31 - 1);
const mean = (values: Iterable<number>): number => {
  const all = [...values];
  return all.reduce((sum, value) => sum + value, 0) / all.length;
};

describe('lengths of made-up rows', () => {
  it('are those of the distribution when fixed', () => {
    expect([...drawLengths({ type: 'fixed', length: 7 }, 3, 1)]).toEqual([7, 7, 7]);
  });

  it('depend on the seed and on nothing else', () => {
    const distribution = { type: 'lognormal', mean: 100, sigma: 0.5, maximum: 1000 } as const;
    expect(drawLengths(distribution, 50, 3)).toEqual(drawLengths(distribution, 50, 3));
    expect(drawLengths(distribution, 50, 3)).not.toEqual(drawLengths(distribution, 50, 4));
    expect(drawLengths(distribution, 20, 3)).toEqual(drawLengths(distribution, 50, 3).slice(0, 20));
  });

  it('stay within the bounds', () => {
    const bounded = fc.record({
      low: fc.integer({ min: 1, max: 40 }),
      width: fc.nat(20),
      sigma: fc.double({ min: 0.01, max: 4, noNaN: true }),
    });
    fc.assert(
      fc.property(bounded, seed, ({ low, width, sigma }, given) => {
        const high = low + width;
        const uniform = drawLengths({ type: 'uniform', minimum: low, maximum: high }, 20, given);
        expect(uniform.every((length) => length >= low && length <= high)).toBe(true);
        const lognormal = drawLengths({ type: 'lognormal', mean: low, sigma, maximum: high }, 20, given);
        expect(lognormal.every((length) => length >= 1 && length <= high)).toBe(true);
      }),
    );
  });

  it('of a uniform distribution reach every length alike', () => {
    const lengths = drawLengths({ type: 'uniform', minimum: 3, maximum: 6 }, 40_000, 1);
    for (const length of [3, 4, 5, 6])
      expect(lengths.filter((each) => each === length).length / 10_000).toBeCloseTo(1, 1);
  });

  it('of a lognormal distribution have its mean and its spread', () => {
    const lengths = drawLengths({ type: 'lognormal', mean: 400, sigma: 0.6, maximum: 1_000_000 }, 100_000, 1);
    expect(mean(lengths) / 400).toBeCloseTo(1, 1);
    const logs = [...lengths].map(Math.log);
    const centre = mean(logs);
    expect(centre).toBeCloseTo(Math.log(400) - 0.18, 1);
    expect(Math.sqrt(mean(logs.map((log) => (log - centre) ** 2)))).toBeCloseTo(0.6, 1);
  });
});
