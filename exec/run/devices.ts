import { isNonEmpty } from 'fp-ts/lib/Array.js';
import type { ClusterDescription } from '../../core/cluster/description.ts';
import type { TraceDevice } from '../../core/trace/trace.ts';
import type { DeviceInfo, DeviceRequest } from '../backend/device.ts';
import { ExecFailure, type DeviceShortage } from '../exec-error.ts';

/** Which accelerator each rank is to take, in the order of the cluster's devices. */
export const requestDevices = ({ machines }: Pick<ClusterDescription, 'machines'>): readonly DeviceRequest[] =>
  machines.flatMap(({ deviceCount, accelerators }) =>
    Array.from({ length: deviceCount }, (_, localRank) => ({ accelerator: accelerators?.[localRank] ?? null, localRank })),
  );

/** Devices on which the ranks together need more than is free; `neededBytes` is by rank. */
export const findShortages = (devices: readonly DeviceInfo[], neededBytes: readonly number[]): readonly DeviceShortage[] => {
  const ids = [...new Set(devices.flatMap(({ id }) => id ?? []))];
  return ids.flatMap((id) => {
    const ranks = [...devices.keys()].filter((rank) => devices[rank]!.id === id);
    // Ranks that open first take memory from what those that open later see.
    const freeBytes = Math.max(...ranks.map((rank) => devices[rank]!.freeBytes ?? Infinity));
    const needed = ranks.reduce((sum, rank) => sum + neededBytes[rank]!, 0);
    return needed > freeBytes ? [{ device: `${devices[ranks[0]!]!.name} (${id})`, ranks, neededBytes: needed, freeBytes }] : [];
  });
};

/** Throws where devices are known to be too small for the plan. */
export const checkFreeMemory = (devices: readonly DeviceInfo[], neededBytes: readonly number[] | undefined): void => {
  if (neededBytes === undefined) return;
  const shortages = [...findShortages(devices, neededBytes)];
  if (isNonEmpty(shortages)) throw new ExecFailure({ kind: 'deviceTooSmall', shortages });
};

/** What a measured trace says of the devices; their limits are those of the plan. */
export const describeDevices = (capacityBytes: readonly number[], devices: readonly DeviceInfo[]): readonly Omit<TraceDevice, 'name'>[] =>
  devices.map(({ name }, rank) => ({ capacityBytes: capacityBytes[rank] ?? Infinity, hardware: name }));
