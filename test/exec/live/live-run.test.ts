import { cpSync, existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memory } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { jobFolder } from '../../../exec/live/job-folder.ts';
import type { LiveEvent, LiveRunOptions } from '../../../exec/live/live-run.ts';
import { constantCost } from '../../../sim/constant-cost.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder, type LiveDemo } from './live-demo.ts';

const LONG = liveJob('long', 'sums', iterations(14));
const URGENT = liveJob('urgent', 'opposites', { seed: 3, priority: 5, ...iterations(3) });
const ONE_PLACE: Partial<LiveRunOptions> = { scheduler: { policy: preemptivePriority, slots: 1 } };

/** What happened to jobs, in order, each line once. */
const story = ({ events }: LiveDemo, ...kinds: readonly LiveEvent['kind'][]): readonly string[] =>
  events.flatMap((event) => ('job' in event && kinds.includes(event.kind) ? [`${event.kind} ${event.job}`] : [])).filter((line, index, all) => line !== all[index - 1]);

describe('a live run', () => {
  it('lets a job of higher priority take a place at the iteration end, and the one that gave it goes on unchanged', () =>
    withFolder(async (folder) => {
      const alone = [await adapterAlone(LONG), await adapterAlone(URGENT)];
      const before = memory().numTensors;
      const demo = await startDemo(liveOptions(folder, 2, ONE_PLACE));
      await demo.submit(LONG, URGENT);
      const ends = await Promise.all(['long', 'urgent'].map((job) => demo.until('finished', { job })));
      await demo.run.close();
      expect(story(demo, 'admitted', 'preempted', 'resumed', 'iteration')).toEqual([
        'admitted long', 'iteration long', 'preempted long', 'admitted urgent', 'iteration urgent', 'resumed long', 'iteration long',
      ]);
      expect(await Promise.all(ends.map(adapterOf))).toEqual(alone);
      expect(memory().numTensors).toBe(before);
    }), 60_000);

  it('ends a job whose values are no numbers, and that job alone', () =>
    withFolder(async (folder) => {
      const wild = liveJob('wild', 'dates', { ...iterations(10), optimizer: { ...LONG.job.optimizer, learningRate: Infinity } });
      const demo = await startDemo(liveOptions(folder, 2, { scheduler: { policy: preemptivePriority, slots: 2, mostGroups: 1, leastGain: -1 } }));
      await demo.submit(LONG, wild);
      expect(await demo.until('finished', { job: 'wild' })).toMatchObject({ outcome: 'failed', adapterFolder: null, error: expect.stringMatching(/iterations? \d+.*smaller learning rate/) as unknown });
      expect(await adapterOf(await demo.until('finished', { job: 'long' }))).toEqual(await adapterAlone(LONG));
      await demo.run.close();
    }), 60_000);

  it('stops a job that no longer learns, and keeps the adapter of the evaluation that stopped it', () =>
    withFolder(async (folder) => {
      const stuck = liveJob('stuck', 'sums', { ...iterations(12), evaluate: { every: 2 }, optimizer: { ...LONG.job.optimizer, learningRate: 1e-12 } }, { patience: { evaluations: 2, minimumGain: 0.01 } });
      const demo = await startDemo(liveOptions(folder));
      await demo.submit(stuck);
      const end = await demo.until('finished', { job: 'stuck' });
      await demo.run.close();
      // The first evaluation is the best one; patience ends with the second after it.
      expect(end).toMatchObject({ outcome: 'stopped', iteration: 6 });
      const short = liveJob('short', 'sums', { ...stuck.job, ...iterations(6), evaluate: null });
      expect(await adapterOf(end)).toEqual(await adapterAlone(short));
    }), 60_000);

  it('halves a sweep on real held-out losses: the best trial is trained to its end', () =>
    withFolder(async (folder) => {
      const sweep = { name: 'rates', trials: 4, reduction: 2, rungs: [2, 4] };
      const trial = (learningRate: number) =>
        liveJob(`rate-${learningRate}`, 'sums', { ...iterations(8), evaluate: { every: 2 }, optimizer: { ...LONG.job.optimizer, learningRate } }, { sweep });
      const demo = await startDemo(liveOptions(folder, 1, { scheduler: { policy: preemptivePriority, slots: 2, leastGain: -1 } }));
      const rates = [1e-12, 1e-11, 1e-2, 1e-10];
      await demo.submit(...rates.map(trial));
      const ends = await Promise.all(rates.map((rate) => demo.until('finished', { job: `rate-${rate}` })));
      await demo.run.close();
      expect(ends.map(({ outcome }) => outcome)).toEqual(['stopped', 'stopped', 'completed', 'stopped']);
      expect(Math.max(...ends.filter(({ outcome }) => outcome === 'stopped').map(({ iteration }) => iteration))).toBeLessThan(8);
    }), 60_000);
});

it('a live run tells the held-out loss of what it has trained, preempted or not, as often as is asked for and at the end', () =>
  withFolder(async (folder) => {
    const heldout = (name: string, changes: object) => liveJob(name, 'sums', { ...iterations(5), ...changes });
    const demo = await startDemo(liveOptions(folder, 2, ONE_PLACE));
    await demo.submit(heldout('asks', { evaluate: { every: 2 } }));
    await demo.until('iteration', { job: 'asks', iteration: 1 });
    await demo.submit(heldout('silent', { priority: 1 }));
    const ends = await Promise.all(['asks', 'silent'].map((job) => demo.until('finished', { job })));
    await demo.run.close();
    const evaluations = (job: string) => demo.events.flatMap((event) => (event.kind === 'evaluated' && event.job === job ? [event] : []));
    expect(evaluations('asks').map(({ iteration }) => iteration)).toEqual([2, 4, 5]);
    expect(evaluations('silent').map(({ iteration }) => iteration)).toEqual([5]);
    // Same rows, same seed: the same weights.
    expect(evaluations('silent')[0]!.loss).toBe(evaluations('asks')[2]!.loss);
    expect(ends.map(({ heldoutLoss }) => heldoutLoss)).toEqual([evaluations('asks')[2]!.loss, evaluations('asks')[2]!.loss]);
  }), 60_000);

describe('a live run on the folder of an earlier one', () => {
  /** What a kill at that moment would leave. */
  const copyAt = (folder: string, wanted: (event: LiveEvent) => boolean): Pick<LiveRunOptions, 'onEvent'> => {
    let copied = false;
    return {
      onEvent: (event) => {
        if (copied || !wanted(event)) return;
        copied = true;
        cpSync(folder, `${folder}-copy`, { recursive: true });
      },
    };
  };

  it.each<[string, (event: LiveEvent) => boolean]>([
    ['in the middle', ({ kind }) => kind === 'checkpointed'],
    ['once a job has ended', ({ kind }) => kind === 'finished'],
  ])('finishes every job once with the same adapter when the other was killed %s', (_, wanted) =>
    withFolder(async (folder) => {
      const inner = join(folder, 'first');
      const first = await startDemo(liveOptions(inner, 2, { ...ONE_PLACE, ...copyAt(inner, wanted) }));
      await first.submit(LONG, URGENT);
      await Promise.all(['long', 'urgent'].map((job) => first.until('finished', { job })));
      await first.run.close();
      const second = await startDemo(liveOptions(`${inner}-copy`, 1));
      await second.submit(LONG, URGENT);
      const ends = await Promise.all(['long', 'urgent'].map((job) => second.until('finished', { job })));
      await second.run.close();
      expect(second.events.filter(({ kind }) => kind === 'finished')).toHaveLength(2);
      expect(second.events.filter(({ kind }) => kind === 'iteration').length).toBeLessThan(17);
      expect(await Promise.all(ends.map(adapterOf))).toEqual([await adapterAlone(LONG), await adapterAlone(URGENT)]);
    }), 60_000);

  it('has let its listener keep every iteration before a checkpoint or an end covers it', () =>
    withFolder(async (folder) => {
      let [told, kept] = [0, 0];
      const covered: (readonly [onDisk: number, kept: number])[] = [];
      const onDisk = (): number => {
        const found = readdirSync(jobFolder(folder, 'long').checkpoints, { withFileTypes: true }).map(({ name }) => Number(/^iteration-(\d+)$/.exec(name)?.[1] ?? 0));
        return Math.max(0, ...found);
      };
      const demo = await startDemo(liveOptions(folder, 2, {
        onEvent: ({ kind }) => (told += kind === 'iteration' ? 1 : 0),
        beforeWriting: () => {
          covered.push([existsSync(jobFolder(folder, 'long').checkpoints) ? onDisk() : 0, kept]);
          kept = told;
        },
      }));
      await demo.submit(LONG);
      await demo.until('finished', { job: 'long' });
      await demo.run.close();
      expect(covered.length).toBeGreaterThan(2);
      expect(covered.filter(([found, before]) => found > before)).toEqual([]);
      expect(kept).toBe(14);
    }), 60_000);

  it('goes on where jobs were when it was closed', () =>
    withFolder(async (folder) => {
      const first = await startDemo(liveOptions(folder));
      await first.submit(LONG);
      await first.until('iteration', { job: 'long', iteration: 3 });
      await first.run.close();
      const made = first.events.filter(({ kind }) => kind === 'iteration').length;
      expect(first.events.some(({ kind }) => kind === 'finished')).toBe(false);
      const second = await startDemo(liveOptions(folder));
      await second.submit(LONG);
      const end = await second.until('finished', { job: 'long' });
      await second.run.close();
      expect(second.events.filter(({ kind }) => kind === 'iteration')).toHaveLength(14 - made);
      expect(await adapterOf(end)).toEqual(await adapterAlone(LONG));
    }), 60_000);
});

describe('a job that cannot be taken', () => {
  it('is refused with everything that is wrong with it, or with the bytes that are missing, and hurts nobody', () =>
    withFolder(async (folder) => {
      const ADAPTER_BYTES = 2 ** 20;
      const cost = constantCost({ forwardNs: 1000, backwardNs: 1200, adapterBytes: ADAPTER_BYTES });
      const costs: LiveRunOptions['costs'] = { costOf: () => cost, transferNs: () => 1 };
      const tight = await startDemo(liveOptions(join(folder, 'tight'), 1, { costs, capacityBytes: [2 ** 20] }));
      expect(await tight.run.submit(URGENT)()).toEqual(E.left({ kind: 'neverFits', device: 'd0', requiredBytes: Math.ceil(4 * ADAPTER_BYTES * 1.075), availableBytes: 2 ** 20 }));
      expect(tight.run.jobs()).toEqual([]);
      await tight.run.close();
      expect(await tight.run.submit(URGENT)()).toEqual(E.left({ kind: 'closed' }));

      const broken = join(folder, 'broken.jsonl');
      await writeFile(broken, '{"instruction": 1\n');
      const demo = await startDemo(liveOptions(join(folder, 'run')));
      await demo.submit(URGENT);
      expect(await demo.run.submit(URGENT)()).toEqual(E.left({ kind: 'duplicate' }));
      const wrong = await Promise.all([
        demo.run.submit({ ...LONG, id: '../up' })(),
        demo.run.submit({ ...LONG, job: { ...LONG.job, data: { ...LONG.job.data, train: broken } as never } })(),
        demo.run.submit({ ...LONG, patience: { evaluations: 1, minimumGain: 0 } })(),
        demo.run.submit({ ...LONG, job: { ...LONG.job, evaluate: { every: 4 } }, sweep: { name: 's', trials: 1, reduction: 2, rungs: [4, 6, 16] } })(),
      ]);
      expect(wrong.map((each) => (E.isLeft(each) && each.left.kind === 'badInput' ? each.left.files.flatMap(({ problems }) => problems.map(({ path }) => path)) : each))).toMatchObject([
        ['id'], [expect.anything()], ['patience'], ['sweep.rungs[1]', 'sweep.rungs[2]'],
      ]);
      expect(await adapterOf(await demo.until('finished', { job: 'urgent' }))).toEqual(await adapterAlone(URGENT));
      expect(demo.run.cancel('nobody')).toBe(false);
      await demo.run.close();
      expect(JSON.parse(await readFile(join(folder, 'run', 'jobs', 'urgent', 'outcome.json'), 'utf8'))).toMatchObject({ outcome: 'completed' });
    }), 60_000);
});
