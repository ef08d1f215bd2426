import type { Cluster } from '../core/cluster/cluster.ts';
import { nanoseconds, NS_PER_S } from '../core/units.ts';
import type { DeviceProfile } from './device-profile.ts';

/**
 * The cluster with the link figures of a calibrated profile on routes that have a latency of their own. Only for devices
 * of one machine: the profile has not measured a network, and a cluster of several machines keeps its own figures.
 */
export const calibrateLinks = (cluster: Cluster, profile: DeviceProfile | null): Cluster => {
  const oneMachine = cluster.devices.every(({ machine }) => machine === cluster.devices[0]!.machine);
  if (profile?.kind !== 'calibrated' || profile.link === null || !oneMachine) return cluster;
  const { latencyNs, nsPerByte } = profile.link;
  const links = cluster.links.map((link) => ({
    ...link,
    // Where the fit saw no cost per byte, the latency holds all of it and the cluster's own rate stays.
    bytesPerSecond: nsPerByte.value > 0 ? NS_PER_S / nsPerByte.value : link.bytesPerSecond,
    latencyNs: link.latencyNs > 0 ? nanoseconds(latencyNs.value / NS_PER_S) : link.latencyNs,
  }));
  return { ...cluster, links };
};
