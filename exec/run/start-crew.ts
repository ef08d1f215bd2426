import { fileURLToPath } from 'node:url';
import { openEngine } from '../rank/engine.ts';
import type { RankHost } from '../rank/serve-rank.ts';
import { createMemoryTransports } from '../transport/memory-transport.ts';
import type { Crew } from './crew.ts';
import { startProcessCrew } from './process-crew.ts';
import { startTaskCrew } from './task-crew.ts';
import type { TrainOptions } from './train-options.ts';

/** Hosts of ranks that share this process: engines open one after the other, so that each can tell its own bytes. */
export const createTaskHosts = (size: number, open: RankHost['openEngine']): readonly RankHost[] => {
  let opening: Promise<unknown> = Promise.resolve();
  return createMemoryTransports(size).map((transport) => ({
    endpoint: '',
    join: () => transport,
    openEngine: (setup) => {
      const opened = opening.then(() => open(setup));
      opening = opened.catch(() => undefined);
      return opened;
    },
  }));
};

/** The built entry of a rank's process, beside this file's own build. */
export const builtRankEntry = (): string => fileURLToPath(new URL('../rank-main.js', import.meta.url));

/** How ranks are started; see `TrainOptions`. */
export type CrewOptions = Pick<TrainOptions, 'ranks' | 'rankEntry' | 'patienceSeconds'>;

/** Starts so many ranks in the way the options ask for. */
export const startCrew = async (size: number, { ranks, rankEntry, patienceSeconds }: CrewOptions): Promise<Crew> => {
  switch (ranks) {
    case 'processes':
      return startProcessCrew(size, rankEntry ?? builtRankEntry(), patienceSeconds);
    case 'tasks':
      return startTaskCrew(createTaskHosts(size, openEngine));
    default:
      return ranks.startCrew(size);
  }
};
