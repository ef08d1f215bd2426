/**
 * Links as shared resources. A flow is the moving part of a transfer or of a collective. Its slot is its sending device,
 * whose send stream has one transfer at a time, or beyond all devices its device's part of a ring. A flow alone on its links runs at the narrowest one's rate; flows that share
 * links divide them max-min fairly, recomputed whenever one of them starts or ends.
 */
import type { Cluster } from '../../core/cluster/cluster.ts';
import { NS_PER_S } from '../../core/units.ts';
import { EVENT, pushEvent, type EventQueue } from './event-queue.ts';

export interface Network {
  readonly queue: EventQueue;
  readonly deviceCount: number;
  /** Links of route `from · deviceCount + to`: `routeLinks[routeStart[route]]` up to `routeStart[route + 1]`. */
  readonly routeStart: Uint32Array;
  readonly routeLinks: Uint32Array;
  readonly routeLatencyNs: Float64Array;
  /** Bytes per nanosecond of each link. */
  readonly linkRate: Float64Array;
  readonly linkFlows: Uint32Array;
  /** Scratch of the max-min computation, by link: rate not yet given away, flows not yet served. */
  readonly spareRate: Float64Array;
  readonly unserved: Uint32Array;
  /** Slots whose flow is active, in order of start; entries from `activeCount` on are left-overs. */
  readonly active: Uint32Array;
  activeCount: number;
  /** By slot. */
  readonly route: Uint32Array;
  readonly remainingBytes: Float64Array;
  readonly rate: Float64Array;
  readonly fairRate: Float64Array;
  readonly updatedNs: Float64Array;
  /** Code of the event that ends the flow; events that a new rate made obsolete differ from it. */
  readonly endEvent: Float64Array;
}

export const createNetwork = ({ routes, links, devices }: Cluster, queue: EventQueue): Network => {
  const deviceCount = devices.length;
  const flat = devices.flatMap((_, from) => devices.map((_, to) => routes[from]?.[to] ?? []));
  const routeStart = new Uint32Array(flat.length + 1);
  for (const [route, linksOfRoute] of flat.entries()) routeStart[route + 1] = routeStart[route]! + linksOfRoute.length;
  return {
    queue,
    deviceCount,
    routeStart,
    routeLinks: Uint32Array.from(flat.flat()),
    routeLatencyNs: Float64Array.from(flat, (route) => route.reduce((sum, link) => sum + links[link]!.latencyNs, 0)),
    linkRate: Float64Array.from(links, (link) => link.bytesPerSecond / NS_PER_S),
    linkFlows: new Uint32Array(links.length),
    spareRate: new Float64Array(links.length),
    unserved: new Uint32Array(links.length),
    active: new Uint32Array(2 * deviceCount),
    activeCount: 0,
    route: new Uint32Array(2 * deviceCount),
    remainingBytes: new Float64Array(2 * deviceCount),
    rate: new Float64Array(2 * deviceCount),
    fairRate: new Float64Array(2 * deviceCount),
    updatedNs: new Float64Array(2 * deviceCount),
    endEvent: new Float64Array(2 * deviceCount),
  };
};

/** Starts the flow of a slot over a route; its `flowEnd` event is scheduled, and moved when rates change. */
export const startFlow = (network: Network, device: number, route: number, bytes: number): void => {
  const shared = occupies(network, route);
  countFlow(network, route, 1);
  network.active[network.activeCount++] = device;
  network.route[device] = route;
  network.remainingBytes[device] = bytes;
  network.rate[device] = 0;
  network.updatedNs[device] = network.queue.nowNs;
  if (shared) shareLinks(network);
  else setRate(network, device, narrowest(network, route));
};

/** Ends the flow of a slot; flows it shared links with speed up. */
export const endFlow = (network: Network, device: number): void => {
  const { active } = network;
  active.copyWithin(active.indexOf(device), active.indexOf(device) + 1, network.activeCount--);
  countFlow(network, network.route[device]!, -1);
  if (occupies(network, network.route[device]!)) shareLinks(network);
};

const occupies = ({ routeStart, routeLinks, linkFlows }: Network, route: number): boolean => {
  for (let at = routeStart[route]!; at < routeStart[route + 1]!; at++) if (linkFlows[routeLinks[at]!]! > 0) return true;
  return false;
};

const countFlow = ({ routeStart, routeLinks, linkFlows }: Network, route: number, change: number): void => {
  for (let at = routeStart[route]!; at < routeStart[route + 1]!; at++) linkFlows[routeLinks[at]!]! += change;
};

/** Rate of a route that nothing else uses; infinite from a device to itself. */
const narrowest = ({ routeStart, routeLinks, linkRate }: Network, route: number): number => {
  let rate = Infinity;
  for (let at = routeStart[route]!; at < routeStart[route + 1]!; at++) rate = Math.min(rate, linkRate[routeLinks[at]!]!);
  return rate;
};

const setRate = (network: Network, device: number, rate: number): void => {
  const { nowNs } = network.queue;
  const elapsedNs = nowNs - network.updatedNs[device]!;
  if (elapsedNs > 0) network.remainingBytes[device]! -= elapsedNs * network.rate[device]!;
  network.updatedNs[device] = nowNs;
  network.rate[device] = rate;
  const durationNs = Math.max(0, Math.round(network.remainingBytes[device]! / rate));
  network.endEvent[device] = pushEvent(network.queue, nowNs + durationNs, EVENT.flowEnd, device);
};

/** Gives every active flow its max-min fair rate and moves the ends of those whose rate changed. */
const shareLinks = (network: Network): void => {
  fillFairly(network);
  for (let flow = 0; flow < network.activeCount; flow++) {
    const device = network.active[flow]!;
    const rate = network.fairRate[device]!;
    if (rate !== network.rate[device]) setRate(network, device, rate);
  }
};

const UNSERVED = -1;

/**
 * Progressive filling (Bertsekas and Gallager, Data Networks, section 6.5.2): the link that offers its flows least is
 * divided evenly among them, their share is taken off their other links, and so on.
 */
const fillFairly = (network: Network): void => {
  const { active, activeCount, fairRate, route, routeStart, routeLinks, linkRate, linkFlows, spareRate, unserved } = network;
  for (let flow = 0; flow < activeCount; flow++) {
    const device = active[flow]!;
    const from = routeStart[route[device]!]!;
    const to = routeStart[route[device]! + 1]!;
    fairRate[device] = from === to ? Infinity : UNSERVED;
    for (let at = from; at < to; at++) {
      const link = routeLinks[at]!;
      spareRate[link] = linkRate[link]!;
      unserved[link] = linkFlows[link]!;
    }
  }
  for (let link = tightestLink(network); link >= 0; link = tightestLink(network)) serveLink(network, link);
};

/** The link with the smallest share per unserved flow; −1 when every flow is served. */
const tightestLink = (network: Network): number => {
  const { active, activeCount, fairRate, route, routeStart, routeLinks, spareRate, unserved } = network;
  let tightest = -1;
  let smallest = Infinity;
  for (let flow = 0; flow < activeCount; flow++) {
    const device = active[flow]!;
    if (fairRate[device] !== UNSERVED) continue;
    for (let at = routeStart[route[device]!]!; at < routeStart[route[device]! + 1]!; at++) {
      const link = routeLinks[at]!;
      const share = spareRate[link]! / unserved[link]!;
      if (share >= smallest) continue;
      smallest = share;
      tightest = link;
    }
  }
  return tightest;
};

const serveLink = (network: Network, link: number): void => {
  const { active, activeCount, fairRate, route, routeStart, routeLinks, spareRate, unserved } = network;
  const share = spareRate[link]! / unserved[link]!;
  for (let flow = 0; flow < activeCount; flow++) {
    const device = active[flow]!;
    if (fairRate[device] !== UNSERVED || !usesLink(network, route[device]!, link)) continue;
    fairRate[device] = share;
    for (let at = routeStart[route[device]!]!; at < routeStart[route[device]! + 1]!; at++) {
      spareRate[routeLinks[at]!]! -= share;
      unserved[routeLinks[at]!]!--;
    }
  }
};

const usesLink = ({ routeStart, routeLinks }: Network, route: number, link: number): boolean => {
  for (let at = routeStart[route]!; at < routeStart[route + 1]!; at++) if (routeLinks[at] === link) return true;
  return false;
};
