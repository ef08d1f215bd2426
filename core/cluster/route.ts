import type { Cluster } from './cluster.ts';

/** Time of a transfer that has its route to itself: all latencies plus bytes at the slowest link; 0 within a device. */
export const undisturbedTransferNs = (cluster: Cluster, from: number, to: number, transferBytes: number): number => {
  const links = cluster.routes[from]![to]!.map((link) => cluster.links[link]!);
  if (links.length === 0) return 0;
  const latencyNs = links.reduce((sum, link) => sum + link.latencyNs, 0);
  const bytesPerSecond = Math.min(...links.map((link) => link.bytesPerSecond));
  return latencyNs + Math.ceil((transferBytes / bytesPerSecond) * 1e9);
};
