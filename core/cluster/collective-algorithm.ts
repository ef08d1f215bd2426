/**
 * How NCCL carries out a collective: round a ring or, all-reduces only, along trees between the machines, in one of three
 * protocols. A call takes base + steps · latency + bytes ÷ bandwidth; NCCL takes what its own model says is fastest
 * (src/graph/tuning.cc, ncclTopoGetAlgoTime), and so does this. Links that NCCL does not know (sockets of CPU processes)
 * have a ring and their own latency at every step.
 */
import { NS_PER_S, NS_PER_US } from '../units.ts';
import type { Cluster, LinkTechnology } from './cluster.ts';

/** What the devices of a communicator look like to a collective. */
export interface RankGroup {
  readonly ranks: number;
  readonly machines: number;
  /** Slowest link of the ring, shared by all parts of the ring that pass it. */
  readonly bytesPerNs: number;
  /** Longest latency between neighbours of the ring in one machine and, where there are several, in two; null: no such pair. */
  readonly within: Hop | null;
  readonly between: Hop | null;
}

interface Hop {
  readonly technology: LinkTechnology | null;
  readonly latencyNs: number;
}

export interface CollectiveTime {
  /** Of all calls together, beside the transfer. */
  readonly latencyNs: number;
  /** Bytes that every device sends to its neighbour in the ring, at the full rate of the links. */
  readonly wireBytes: number;
}

/** Bytes of all calls together, and how many they are. */
export interface CollectiveSize {
  readonly bytes: number;
  readonly calls: number;
}

export const groupOfDevices = (cluster: Cluster, devices: readonly number[]): RankGroup => {
  const ring = devices.map((from, index) => ({ from, to: devices[(index + 1) % devices.length]! })).filter(({ from, to }) => from !== to);
  const flows = new Map<number, number>();
  for (const { from, to } of ring) for (const link of cluster.routes[from]![to]!) flows.set(link, (flows.get(link) ?? 0) + 1);
  const isWithin = ({ from, to }: { from: number; to: number }): boolean => cluster.devices[from]!.machine === cluster.devices[to]!.machine;
  const hopOf = (pairs: typeof ring): Hop | null => {
    const hops = pairs.map(({ from, to }) => hopOfRoute(cluster, cluster.routes[from]![to]!));
    return hops.length === 0 ? null : hops.reduce((longest, hop) => (hop.latencyNs > longest.latencyNs ? hop : longest));
  };
  return {
    ranks: devices.length,
    machines: new Set(devices.map((device) => cluster.devices[device]!.machine)).size,
    bytesPerNs: Math.min(Infinity, ...[...flows].map(([link, count]) => cluster.links[link]!.bytesPerSecond / NS_PER_S / count)),
    within: hopOf(ring.filter(isWithin)),
    between: hopOf(ring.filter((pair) => !isWithin(pair))),
  };
};

/** A route over the network counts as network, whatever leads there. */
const hopOfRoute = (cluster: Cluster, route: readonly number[]): Hop => {
  const links = route.map((link) => cluster.links[link]!);
  const known = links.flatMap(({ technology }) => (technology === undefined ? [] : [technology]));
  return {
    technology: known.includes('network') ? 'network' : (known[0] ?? null),
    latencyNs: links.reduce((sum, { latencyNs }) => sum + latencyNs, 0),
  };
};

interface Protocol {
  /** Share of the bus bandwidth in a ring and in a tree. */
  readonly share: { readonly ring: number; readonly tree: number };
  readonly baseUs: { readonly ring: number; readonly tree: number };
  /** One step over a link, in a ring and in a tree. */
  readonly stepUs: Readonly<Record<LinkTechnology, { readonly ring: number; readonly tree: number }>>;
  /** LL128 relies on stores of 128 bytes staying together, which NCCL trusts NVLink with alone. */
  readonly onNvlinkOnly: boolean;
}

const both = (ring: number, tree: number) => ({ ring, tree });

const SIMPLE: Protocol = {
  share: both(1, 0.92),
  baseUs: both(8.4, 8.4),
  stepUs: { nvlink: both(3.4, 28), pcie: both(5.7, 28), network: both(14, 28) },
  onNvlinkOnly: false,
};
const LL: Protocol = {
  share: both(1 / 2, 0.92 / 3.8),
  baseUs: both(6.6, 6.8),
  stepUs: { nvlink: both(0.6, 0.6), pcie: both(1, 1), network: both(2.7, 5) },
  onNvlinkOnly: false,
};
const LL128: Protocol = {
  share: both(0.92, 0.92 * 0.915),
  baseUs: both(14, 14),
  stepUs: { nvlink: both(1.9, 1.25), pcie: both(2.5, 1.9), network: both(4, 8.5) },
  onNvlinkOnly: true,
};
const PROTOCOLS = [SIMPLE, LL, LL128];

type Shape = 'ring' | 'tree';

/** Latency and bytes on the wire of the fastest algorithm for calls of this size. */
export const collectiveTime = (group: RankGroup, isAllReduce: boolean, size: CollectiveSize): CollectiveTime => {
  if (group.ranks < 2) return { latencyNs: 0, wireBytes: 0 };
  const technologies = [group.within, group.between].flatMap((hop) => (hop === null ? [] : [hop.technology]));
  if (technologies.includes(null)) return overPlainLinks(group, isAllReduce, size);
  const usable = PROTOCOLS.filter(({ onNvlinkOnly }) => !onNvlinkOnly || technologies.every((technology) => technology === 'nvlink'));
  const shapes: readonly Shape[] = isAllReduce ? ['ring', 'tree'] : ['ring'];
  const times = shapes.flatMap((shape) => usable.map((protocol) => timeOf(group, isAllReduce, size, { shape, protocol })));
  const durationNs = ({ latencyNs, wireBytes }: CollectiveTime): number => latencyNs + Math.round(wireBytes / group.bytesPerNs);
  return times.reduce((best, time) => (durationNs(time) < durationNs(best) ? time : best));
};

/** How often a tensor passes every link of a ring; an all-reduce is a reduce-scatter and an all-gather. */
export const ringPasses = (ranks: number, isAllReduce: boolean): number => ((isAllReduce ? 2 : 1) * (ranks - 1)) / ranks;

const overPlainLinks = ({ ranks, within, between }: RankGroup, isAllReduce: boolean, { bytes, calls }: CollectiveSize): CollectiveTime => ({
  latencyNs: calls * (isAllReduce ? 2 : 1) * (ranks - 1) * Math.max(within?.latencyNs ?? 0, between?.latencyNs ?? 0),
  wireBytes: ringPasses(ranks, isAllReduce) * bytes,
});

const timeOf = (
  group: RankGroup,
  isAllReduce: boolean,
  { bytes, calls }: CollectiveSize,
  { shape, protocol }: { readonly shape: Shape; readonly protocol: Protocol },
): CollectiveTime => {
  const { ranks, machines } = group;
  const directions = isAllReduce ? 2 : 1;
  const steps =
    shape === 'ring'
      ? { between: directions * (machines > 1 ? machines - 1 : 0), within: directions * (ranks - Math.max(1, machines)) }
      : { between: 2 * Math.floor(Math.log2(machines)), within: 2 * (Math.ceil(ranks / machines) - 1) };
  const passes = shape === 'ring' ? ringPasses(ranks, isAllReduce) : 2;
  const scale = scaleOf(group);
  const callNs =
    scale * protocol.baseUs[shape] * NS_PER_US +
    steps.within * stepNs(group.within, protocol, shape) +
    steps.between * stepNs(group.between, protocol, shape);
  return { latencyNs: Math.round(calls * callNs), wireBytes: (passes * bytes) / protocol.share[shape] };
};

/** A transfer's latency with NCCL: to start it and one step. */
const usualNs = (technology: LinkTechnology): number => (SIMPLE.baseUs.ring + SIMPLE.stepUs[technology].ring) * NS_PER_US;

/**
 * NCCL's constants hold for usual links. What a link's latency is above its usual one, every step pays in every protocol; if
 * it is below, all constants shrink with it, to nothing on a link without latency.
 */
const stepNs = (hop: Hop | null, protocol: Protocol, shape: Shape): number => {
  const technology = hop?.technology ?? null;
  if (hop === null || technology === null) return 0;
  const { latencyNs } = hop;
  const usual = usualNs(technology);
  return Math.min(1, latencyNs / usual) * protocol.stepUs[technology][shape] * NS_PER_US + Math.max(0, latencyNs - usual);
};

const scaleOf = ({ within, between }: RankGroup): number =>
  Math.min(1, ...[between ?? within].flatMap((hop) => (hop?.technology ? [hop.latencyNs / usualNs(hop.technology)] : [])));
