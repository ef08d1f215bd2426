import { memory } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder } from './live-demo.ts';
import { demoJob } from '../demo.ts';

/** Unlike jobs: lengths, ranks, dropout, clipping, mini-batches of one row, held-out rows. */
const JOBS = [
  liveJob('sums', 'sums', { ...iterations(16), batchSize: 2 }),
  liveJob('dates', 'dates', { ...iterations(14), batchSize: 2, adapter: { ...demoJob('dates').adapter, rank: 8, dropout: 0.1, targetModules: ['k_proj', 'up_proj'] } }),
  liveJob('clipped', 'opposites', { ...iterations(12), batchSize: 2, optimizer: { ...demoJob('dates').optimizer, maxGradientNorm: 0.5 } }),
  liveJob('single', 'sums', { ...iterations(20), seed: 2, batchSize: 1 }),
  liveJob('evaluated', 'opposites', { ...iterations(12), batchSize: 3, evaluate: { every: 4 } }),
];

const arbitraryRun = fc.record({
  devices: fc.integer({ min: 1, max: 2 }),
  slots: fc.constantFrom(1, 1, 2),
  mostGroups: fc.integer({ min: 1, max: 3 }),
  jobs: fc.shuffledSubarray(JOBS, { minLength: 3 }),
  /** What is done after so many further iterations of all jobs; jobs come in order, the first two at the start and the last ones at the end. */
  changes: fc.array(
    fc.record({ after: fc.nat(2), kind: fc.constantFrom('submit', 'priority', 'priority', 'priority', 'cancel'), job: fc.nat(4), priority: fc.nat(9) }),
    { minLength: 3, maxLength: 8 },
  ),
});

it('whatever comes, goes, is preempted or cancelled, every adapter is the one its job gets alone, and no tensor is left', async () => {
  for (const job of JOBS) await adapterAlone(job);
  await fc.assert(
    fc.asyncProperty(arbitraryRun, ({ devices, slots, mostGroups, jobs, changes }) =>
      withFolder(async (folder) => {
        const before = memory().numTensors;
        const demo = await startDemo(liveOptions(folder, devices, { scheduler: { policy: preemptivePriority, slots, mostGroups, leastGain: -1 } }));
        const count = (): number => demo.events.filter(({ kind }) => kind === 'iteration').length;
        const waiting = [...jobs];
        await demo.submit(...waiting.splice(0, 2));
        for (const { after, kind, job, priority } of changes) {
          const wanted = count() + after;
          await demo.when(() => count() >= wanted || demo.run.jobs().length === 0);
          const { id } = jobs[job % jobs.length]!;
          if (kind === 'submit') await demo.submit(...waiting.splice(0, 1));
          if (kind === 'priority') demo.run.changePriority(id, priority);
          if (kind === 'cancel') demo.run.cancel(id);
        }
        await demo.submit(...waiting);
        const ends = await Promise.all(jobs.map(({ id }) => demo.until('finished', { job: id })));
        expect(demo.run.jobs()).toEqual([]);
        await demo.run.close();
        expect(demo.events.filter(({ kind }) => kind === 'finished')).toHaveLength(jobs.length);
        for (const [index, end] of ends.entries()) {
          if (end.outcome === 'cancelled') continue;
          expect(end.outcome).toBe('completed');
          expect(await adapterOf(end)).toEqual(await adapterAlone(jobs[index]!));
        }
        expect(memory().numTensors).toBe(before);
      }),
    ),
    { numRuns: 4 },
  );
}, 120_000);
