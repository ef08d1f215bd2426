import { randomInt } from 'node:crypto';
import type { BackendName } from '../backend/backend.ts';
import { NO_REQUEST, type DeviceInfo, type DeviceRequest } from '../backend/device.ts';
import type { RankSetup } from '../rank/messages.ts';
import type { Crew } from './crew.ts';
import { checkFreeMemory } from './devices.ts';
import { awaitAll } from './director.ts';

/** Ranks that are ready to run programs. */
export interface ReadyRanks {
  readonly backend: BackendName;
  /** What each rank computes on. */
  readonly devices: readonly DeviceInfo[];
  /** Why the backends before the one that was taken were not. */
  readonly rejected: readonly string[];
  readonly processIds: readonly number[];
}

export interface RankDevices {
  /** By rank; absent: ranks take devices by turns. */
  readonly devices?: readonly DeviceRequest[] | undefined;
  /** Most memory each rank will hold; absent: free memory is not compared with it. */
  readonly neededBytes?: readonly number[] | undefined;
}

/** Makes the ranks of a crew ready to run programs. Rejects with an ExecFailure where a device is too small. */
export const setUpRanks = async (
  crew: Crew,
  setup: Omit<RankSetup, 'rank' | 'run' | 'endpoints' | 'device'>,
  { devices: requests = [], neededBytes }: RankDevices = {},
): Promise<ReadyRanks> => {
  const hellos = await awaitAll(crew, 'hello');
  const endpoints = hellos.map(({ endpoint }) => endpoint);
  const run = randomInt(2 ** 32);
  for (let rank = 0; rank < crew.size; rank++) {
    const device = requests[rank] ?? { ...NO_REQUEST, localRank: rank };
    crew.send(rank, { kind: 'setup', setup: { ...setup, rank, run, endpoints, device } });
  }
  const readies = await awaitAll(crew, 'ready');
  const devices = readies.map(({ device }) => device);
  checkFreeMemory(devices, neededBytes);
  const { backend, rejected } = readies[0]!;
  return { backend, devices, rejected, processIds: hellos.map(({ processId }) => processId) };
};
