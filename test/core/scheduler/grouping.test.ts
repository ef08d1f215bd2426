import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createGrouper, type PredictRound } from '../../../core/scheduler/grouping.ts';
import { jobSpec } from './drive.ts';

const DEVICES = 4;

/** Microbatches of equal work: forward and backward of a row take `rowNs` at each device, a call `callNs` more. */
const predictEqual =
  (rowNs: number, callNs: number): PredictRound =>
  (jobs, microbatches) => {
    const rows = jobs.reduce((sum, { size }) => sum + size.rows, 0);
    const slotNs = (rows / microbatches) * rowNs + callNs;
    return { workNs: microbatches * slotNs, latencyNs: (microbatches + DEVICES - 1) * slotNs, busyNs: DEVICES * microbatches * slotNs, tokens: rows };
  };

const grouperOf = (predict: PredictRound, more: { readonly maximumSlowdown?: number; readonly leastGain?: number } = {}) =>
  createGrouper({ predict, mostGroups: 8, microbatches: [1, 2, 4, 8], leastGain: 0.01, ...more });
const jobs = (count: number, rows = 8) => Array.from({ length: count }, (_, index) => jobSpec(`job-${index}`, { size: { rows, length: 64 } }));

describe('grouping', () => {
  test('splits the mini-batch of a single job to fill the pipeline', () => {
    expect(grouperOf(predictEqual(100, 1)).group(jobs(1))).toEqual({ groups: [{ jobs: ['job-0'], microbatches: 8 }] });
  });

  test('merges jobs where calls cost more than rows, and cuts nothing', () => {
    const { groups } = grouperOf(predictEqual(1, 1000)).group(jobs(8));
    expect(groups.every(({ microbatches }) => microbatches === 1)).toBe(true);
    expect(groups.length).toBe(DEVICES);
  });

  test('names every job once, and no other choice that it tries has more throughput', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 200 }), (count, rowNs, callNs) => {
        const predict = predictEqual(rowNs, callNs);
        const grouper = grouperOf(predict);
        const all = jobs(count);
        const chosen = grouper.group(all);
        expect(chosen.groups.flatMap((group) => group.jobs).sort()).toEqual(all.map(({ id }) => id));
        const best = grouper.rate(chosen, all);
        for (const microbatches of [1, 2, 4, 8]) {
          const single = { groups: all.map(({ id }) => ({ jobs: [id], microbatches })) };
          const merged = { groups: [{ jobs: all.map(({ id }) => id), microbatches }] };
          for (const other of [single, merged]) expect(grouper.rate(other, all).periodNs).toBeGreaterThanOrEqual(best.periodNs * (1 - 2e-3));
        }
      }),
    );
  });

  test('lets jobs join while that adds throughput', () => {
    const grouper = grouperOf(predictEqual(100, 1));
    const [first, second, ...others] = jobs(8) as [ReturnType<typeof jobSpec>, ReturnType<typeof jobSpec>, ...ReturnType<typeof jobSpec>[]];
    expect(grouper.mayJoin([first], second)).toBe(true);
    expect(grouper.mayJoin([first, second, ...others.slice(0, 4)], others[4]!)).toBe(false);
  });

  test('slows no job beyond a bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.double({ min: 1, max: 3, noNaN: true }), fc.integer({ min: 0, max: 200 }), (count, maximumSlowdown, callNs) => {
        const grouper = grouperOf(predictEqual(10, callNs), { maximumSlowdown, leastGain: -1 });
        const [last, ...running] = jobs(count + 1);
        if (!grouper.mayJoin(running, last!)) return;
        const all = [last!, ...running];
        const periodNs = grouper.rate(grouper.group(all), all).periodNs;
        for (const job of all) expect(periodNs).toBeLessThanOrEqual(maximumSlowdown * grouper.rate(grouper.group([job]), [job]).periodNs);
      }),
    );
  });
});
