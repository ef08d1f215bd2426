import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paintOf, stripesBy } from '../../viz/timeline/colour-by.ts';
import { layoutMarks } from '../../viz/timeline/marks.ts';
import { addShares, levelFor, sharesOf } from '../../viz/timeline/time-shares.ts';
import { pipelineTrace } from './traces.ts';

const COLOURS = 8;
const trace = pipelineTrace({ devices: 2, adapters: ['a', 'b', 'c'], grouped: true, iterations: 300, memory: false });
const marks = layoutMarks(trace);
const rowMarks = marks.rows[0]!;
const shares = sharesOf(trace, rowMarks, 'adapter', COLOURS);

/** Time of each paint between two moments, span by span. */
const exactSums = (fromNs: number, toNs: number): number[] => {
  const sums = new Array<number>(shares.paints).fill(0);
  for (const span of rowMarks.index) {
    const inside = Math.max(0, Math.min(toNs, trace.spans.endNs[span]!) - Math.max(fromNs, trace.spans.startNs[span]!));
    const stripes = stripesBy(trace, span, 'adapter');
    for (let s = 0; s < stripes; s++) sums[paintOf(trace, span, s, 'adapter', COLOURS)]! += inside / stripes;
  }
  return sums;
};

describe('time shares', () => {
  it('are the exact times over the whole run at every resolution', () => {
    const exact = exactSums(0, marks.endNs);
    for (const level of shares.levels) {
      const sums = new Float64Array(shares.paints);
      addShares(shares, level, 0, marks.endNs + level.binNs, sums);
      for (const [paint, ns] of exact.entries()) expect(sums[paint]! / 1e6).toBeCloseTo(ns / 1e6, 1);
    }
  });

  it('are off by at most the bins at the edges in any window', () => {
    const moment = fc.double({ min: 0, max: marks.endNs, noNaN: true });
    fc.assert(
      fc.property(moment, moment, fc.nat({ max: shares.levels.length - 1 }), (a, b, l) => {
        const [fromNs, toNs] = a < b ? [a, b] : [b, a];
        const level = shares.levels[l]!;
        const sums = new Float64Array(shares.paints);
        addShares(shares, level, fromNs, toNs, sums);
        for (const [paint, ns] of exactSums(fromNs, toNs).entries()) {
          expect(Math.abs(sums[paint]! - ns)).toBeLessThanOrEqual(2 * level.binNs + 1);
        }
      }),
    );
  });

  it('offer the coarsest bins that are fine enough, or none', () => {
    const [finest] = shares.levels;
    expect(levelFor(shares, finest!.binNs / 2)).toBeNull();
    expect(levelFor(shares, 4.1 * finest!.binNs)?.binNs).toBe(4 * finest!.binNs);
  });
});
