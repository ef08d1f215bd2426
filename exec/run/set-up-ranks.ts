import { randomInt } from 'node:crypto';
import type { BackendName } from '../backend/backend.ts';
import type { RankSetup } from '../rank/messages.ts';
import type { Crew } from './crew.ts';
import { awaitAll } from './director.ts';

/** Ranks that are ready to run programs. */
export interface ReadyRanks {
  readonly backend: BackendName;
  readonly processIds: readonly number[];
}

/** Makes the ranks of a crew ready to run programs. */
export const setUpRanks = async (crew: Crew, setup: Omit<RankSetup, 'rank' | 'run' | 'endpoints'>): Promise<ReadyRanks> => {
  const hellos = await awaitAll(crew, 'hello');
  const endpoints = hellos.map(({ endpoint }) => endpoint);
  const run = randomInt(2 ** 32);
  for (let rank = 0; rank < crew.size; rank++) crew.send(rank, { kind: 'setup', setup: { ...setup, rank, run, endpoints } });
  const [first] = await awaitAll(crew, 'ready');
  return { backend: first!.backend, processIds: hellos.map(({ processId }) => processId) };
};
