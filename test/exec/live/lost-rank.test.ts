import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import type { LiveEvent } from '../../../exec/live/live-run.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder } from './live-demo.ts';

const RANK_ENTRY = fileURLToPath(new URL('../../../dist/exec/rank-main.js', import.meta.url));
beforeAll(() => {
  if (!existsSync(RANK_ENTRY)) throw new Error('build the package first: npm run build');
});

const JOBS = [liveJob('sums', 'sums', iterations(12)), liveJob('dates', 'dates', { seed: 2, ...iterations(10) }), liveJob('waits', 'opposites', { seed: 3, ...iterations(3) })];

it('when a rank is killed others come up, and every job goes on from its checkpoint to the adapter it gets alone', () =>
  withFolder(async (folder) => {
    let processIds: readonly number[] = [];
    let killed = false;
    const onEvent = (event: LiveEvent): void => {
      if (event.kind === 'ready') processIds = event.processIds;
      if (killed || event.kind !== 'iteration' || event.iteration < 5) return;
      killed = true;
      process.kill(processIds[1]!, 'SIGKILL');
    };
    const demo = await startDemo(liveOptions(folder, 2, { scheduler: { policy: preemptivePriority, slots: 2, leastGain: -1 }, ranks: 'processes', rankEntry: RANK_ENTRY, onEvent }));
    await demo.submit(...JOBS);
    const ends = await Promise.all(JOBS.map(({ id }) => demo.until('finished', { job: id })));
    await demo.run.close();
    expect(demo.events.filter(({ kind }) => kind === 'rankLost')).toMatchObject([{ error: { kind: 'rankDied', rank: 1 } }]);
    const backs = demo.events.flatMap((event) => (event.kind === 'setBack' ? [event.iteration] : []));
    expect(backs).toHaveLength(2);
    expect(Math.max(...backs)).toBeGreaterThan(0);
    expect(demo.events.filter(({ kind }) => kind === 'finished')).toHaveLength(JOBS.length);
    for (const [index, end] of ends.entries()) expect(await adapterOf(end)).toEqual(await adapterAlone(JOBS[index]!));
  }), 60_000);
