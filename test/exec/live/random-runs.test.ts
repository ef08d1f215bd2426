import { memory } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder } from './live-demo.ts';
import { demoJob } from '../demo.ts';

/** Unlike jobs: lengths, ranks, dropout, clipping, mini-batches of one row, held-out rows. */
const JOBS = [
  liveJob('sums', 'sums', iterations(5)),
  liveJob('dates', 'dates', { ...iterations(6), adapter: { ...demoJob('dates').adapter, rank: 8, dropout: 0.1, targetModules: ['k_proj', 'up_proj'] } }),
  liveJob('clipped', 'opposites', { ...iterations(4), optimizer: { ...demoJob('dates').optimizer, maxGradientNorm: 0.5 } }),
  liveJob('single', 'sums', { ...iterations(7), seed: 2, batchSize: 1 }),
  liveJob('evaluated', 'extract', { ...iterations(4), batchSize: 2, evaluate: { every: 2 } }),
];

const arbitraryRun = fc.record({
  devices: fc.integer({ min: 1, max: 2 }),
  slots: fc.integer({ min: 1, max: 3 }),
  mostGroups: fc.integer({ min: 1, max: 3 }),
  jobs: fc.shuffledSubarray(JOBS, { minLength: 3 }),
  /** What each job is like, and how many iterations of all jobs are awaited before it comes. */
  arrivals: fc.array(fc.record({ priority: fc.nat(2), after: fc.nat(4), change: fc.constantFrom('none', 'none', 'none', 'cancel', 'priority') }), { minLength: JOBS.length, maxLength: JOBS.length }),
});

it('whatever comes, goes, is preempted or cancelled, every adapter is the one its job gets alone, and no tensor is left', async () => {
  for (const job of JOBS) await adapterAlone(job);
  await fc.assert(
    fc.asyncProperty(arbitraryRun, ({ devices, slots, mostGroups, jobs, arrivals }) =>
      withFolder(async (folder) => {
        const before = memory().numTensors;
        const demo = await startDemo(liveOptions(folder, devices, { scheduler: { policy: preemptivePriority, slots, mostGroups, leastGain: -1 } }));
        const count = (): number => demo.events.filter(({ kind }) => kind === 'iteration').length;
        for (const [index, job] of jobs.entries()) {
          const { priority, after, change } = arrivals[index]!;
          const wanted = count() + after;
          await demo.when(() => count() >= wanted || demo.run.jobs().length === 0);
          await demo.submit({ ...job, job: { ...job.job, priority } });
          if (change === 'cancel') demo.run.cancel(jobs[Math.floor(index / 2)]!.id);
          if (change === 'priority') demo.run.changePriority(job.id, 3);
        }
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
    { numRuns: 8 },
  );
}, 120_000);
