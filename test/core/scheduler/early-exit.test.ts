import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Halving } from '../../../core/scheduler/halving.ts';
import { firstComeFirstServed } from '../../../core/scheduler/policy.ts';
import { drive, jobSpec, type Arrival } from './drive.ts';

const ALONE = { policy: firstComeFirstServed, budgetBytes: [[1000]], slots: 4 };

describe('patience', () => {
  const run = (losses: readonly number[], evaluations: number) => {
    const job = jobSpec('one', { iterations: losses.length, patience: { evaluations, minimumGain: 0 } });
    return drive({ ...ALONE, arrivals: [{ timeNs: 0, job }], heldoutLoss: (_job, iteration) => losses[iteration - 1]! }).decisions.at(-1);
  };

  test('ends a job once its best loss is that many evaluations old', () => {
    expect(run([5, 4, 3, 4, 3, 2, 1], 2)).toMatchObject({ kind: 'finish', outcome: 'stopped', iteration: 5 });
  });

  test('lets a job go on that still learns', () => {
    expect(run([5, 4, 4, 3, 3, 2, 2], 2)).toMatchObject({ outcome: 'completed', iteration: 7 });
  });
});

describe('successive halving', () => {
  const halving: Halving = { name: 'sweep', trials: 16, reduction: 4, rungs: [1, 4] };
  const trials = (changes: Partial<Halving> = {}): Arrival[] =>
    Array.from({ length: 16 }, (_, index) => ({ timeNs: 0, job: jobSpec(`trial-${index}`, { iterations: 16, sweep: { ...halving, ...changes } }) }));
  /** Trials are as good as this order of their numbers says, at every iteration. */
  const lossesBy = (order: readonly number[]) => (job: string, iteration: number) => order[Number(job.slice(6))]! + 1 / iteration;
  const anyOrder = fc.shuffledSubarray(Array.from({ length: 16 }, (_, index) => index), { minLength: 16 });

  test('the best trial is trained to its end, whatever the order in which trials come up', () => {
    fc.assert(
      fc.property(anyOrder, (order) => {
        const { decisions } = drive({ ...ALONE, arrivals: trials(), heldoutLoss: lossesBy(order) });
        const best = `trial-${order.indexOf(0)}`;
        expect(decisions.find((each) => each.kind === 'finish' && each.job === best)).toMatchObject({ outcome: 'completed', iteration: 16 });
      }),
    );
  });

  test('every trial finishes once, most of them early', () => {
    fc.assert(
      fc.property(anyOrder, fc.integer({ min: 1, max: 16 }), (order, slots) => {
        const ends = drive({ ...ALONE, slots, arrivals: trials(), heldoutLoss: lossesBy(order) }).decisions.flatMap((each) => (each.kind === 'finish' ? [each] : []));
        expect(new Set(ends.map(({ job }) => job)).size).toBe(16);
        expect(ends.length).toBe(16);
        const done = ends.reduce((sum, { iteration }) => sum + iteration, 0);
        expect(done).toBeLessThan(0.75 * 16 * 16);
      }),
    );
  });

  test('one trial at least is trained to its end, the best at its rung, however few there are and whichever are refused', () => {
    fc.assert(
      fc.property(anyOrder, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 11 }), fc.integer({ min: 2, max: 5 }), (order, count, refusedFrom, reduction) => {
        const sweep = { trials: count, reduction };
        // Trials that need more memory than there is are refused.
        const arrivals = trials(sweep).slice(0, count).map(({ job, ...arrival }, index) => ({ ...arrival, job: index < refusedFrom ? job : { ...job, ledgerBytes: [2000] } }));
        const ends = drive({ ...ALONE, arrivals, heldoutLoss: lossesBy(order) }).decisions.flatMap((each) => (each.kind === 'finish' ? [each] : []));
        const taken = Math.min(count, refusedFrom);
        expect(ends.length).toBe(taken);
        const completed = ends.filter(({ outcome }) => outcome === 'completed');
        expect(completed.length >= 1).toBe(taken >= 1);
        const best = order.indexOf(Math.min(...order.slice(0, taken)));
        if (taken >= 1) expect(completed.map(({ job }) => job)).toContain(`trial-${best}`);
      }),
    );
  });

  test('of trials that report in order of their losses as many are promoted as fit into one part in four', () => {
    const ascending = Array.from({ length: 16 }, (_, index) => 16 - index);
    const { decisions } = drive({ ...ALONE, slots: 1, arrivals: trials(), heldoutLoss: lossesBy(ascending.map((each) => 17 - each)) });
    const reached = decisions.flatMap((each) => (each.kind === 'finish' ? [each.iteration] : []));
    expect(reached.filter((iteration) => iteration > 1).length).toBe(4);
    expect(reached.filter((iteration) => iteration === 16).length).toBe(1);
  });
});
