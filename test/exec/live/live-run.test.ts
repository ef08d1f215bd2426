import { memory } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder, type LiveDemo } from './live-demo.ts';

const LONG = liveJob('long', 'sums', iterations(30));
const OTHER = liveJob('other', 'dates', { seed: 2, ...iterations(9) });
const URGENT = liveJob('urgent', 'opposites', { seed: 3, priority: 5, ...iterations(3) });

const ONE_PLACE = { scheduler: { policy: preemptivePriority, slots: 1 } };

/** What happened to jobs, in order; of each job alone this is the whole story. */
const story = ({ events }: LiveDemo, ...kinds: readonly string[]): readonly string[] =>
  events.flatMap((event) => ('job' in event && kinds.includes(event.kind) ? [`${event.kind} ${event.job}`] : []));

describe('a live run', () => {
  it('trains a job that comes while another runs, gives each the adapter it gets alone, and leaves no tensor', () =>
    withFolder(async (folder) => {
      const alone = await Promise.all([LONG, OTHER].map(adapterAlone));
      const before = memory().numTensors;
      const demo = await startDemo(liveOptions(folder));
      await demo.submit(LONG);
      await demo.until('iteration', { job: 'long', iteration: 2 });
      await demo.submit(OTHER);
      const ends = await Promise.all(['long', 'other'].map((job) => demo.until('finished', { job })));
      await demo.run.close();
      expect(await Promise.all(ends.map(adapterOf))).toEqual(alone);
      expect(memory().numTensors).toBe(before);
    }), 60_000);

  it('lets a job of higher priority take a place at the iteration end, and the one that gave it goes on unchanged', () =>
    withFolder(async (folder) => {
      const demo = await startDemo(liveOptions(folder, 2, ONE_PLACE));
      await demo.submit(LONG);
      await demo.submit(URGENT);
      const ends = await Promise.all(['long', 'urgent'].map((job) => demo.until('finished', { job })));
      await demo.run.close();
      expect(story(demo, 'admitted', 'preempted', 'resumed', 'iteration').filter((each, index, all) => each !== all[index - 1])).toEqual([
        'admitted long', 'iteration long', 'preempted long', 'admitted urgent', 'iteration urgent', 'resumed long', 'iteration long',
      ]);
      expect(await Promise.all(ends.map(adapterOf))).toEqual(await Promise.all([LONG, URGENT].map(adapterAlone)));
    }), 60_000);
});
