import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../core/cluster/cluster.ts';
import { GIGA, nanoseconds } from '../../core/units.ts';
import { constantCluster } from '../../sim/constant-cost.ts';
import { createEventQueue, deviceOf, nextInstant } from '../../sim/engine/event-queue.ts';
import { createNetwork, endFlow, startFlow, type Network } from '../../sim/engine/network.ts';

/** Links of the given bytes per nanosecond; device i sends to device i + 1 over the links of route i. */
const clusterOf = (rates: readonly number[], routes: readonly (readonly number[])[]): Cluster => ({
  ...constantCluster(routes.length + 1),
  links: rates.map((rate, link) => ({ name: `link ${link}`, bytesPerSecond: rate * GIGA, latencyNs: nanoseconds(0) })),
  routes: [...routes, []].map((route, from) => [...routes, []].map((_, to) => (to === from + 1 ? route : []))),
});

interface Flow {
  readonly bytes: number;
  readonly startNs: number;
}

/** Code of an event that belongs to no flow: it wakes the loop up for a start. */
const ALARM = -1;

/** Ends of flow i, from device i to device i + 1. */
const runFlows = (cluster: Cluster, flows: readonly Flow[]): number[] => {
  const queue = createEventQueue();
  const network = createNetwork(cluster, queue);
  const ends = flows.map(() => NaN);
  const waiting = flows.map((flow, device) => ({ ...flow, device })).sort((a, b) => a.startNs - b.startNs);
  const start = (): void => {
    while (waiting[0]?.startNs === queue.nowNs) {
      const { device, bytes } = waiting.shift()!;
      startFlow(network, device, device * network.deviceCount + device + 1, bytes);
    }
  };
  for (const { startNs } of waiting) queue.heap.push(ALARM, startNs);
  while (nextInstant(queue)) {
    for (const code of queue.instant.slice(0, queue.instantLength)) {
      const device = deviceOf(code);
      if (code === ALARM || network.endEvent[device] !== code) continue;
      endFlow(network, device);
      ends[device] = queue.nowNs;
    }
    start();
  }
  return ends;
};

describe('flows', () => {
  it('run at the rate of their narrowest link when alone', () => {
    expect(runFlows(clusterOf([4, 0.5, 2], [[0, 1, 2]]), [{ bytes: 100, startNs: 7 }])).toEqual([207]);
  });

  it('share a link evenly while both are there, and speed up when one is gone', () => {
    const ends = runFlows(clusterOf([1], [[0], [0]]), [
      { bytes: 100, startNs: 0 },
      { bytes: 100, startNs: 50 },
    ]);
    expect(ends).toEqual([150, 200]);
  });

  it('leave what a flow cannot use to the others', () => {
    const ends = runFlows(clusterOf([1, 2], [[0, 1], [0], [1]]), [
      { bytes: 500, startNs: 0 },
      { bytes: 500, startNs: 0 },
      { bytes: 1500, startNs: 0 },
    ]);
    expect(ends).toEqual([1000, 1000, 1000]);
  });

  it('do not touch flows on other links', () => {
    const ends = runFlows(clusterOf([1, 1], [[0], [1], [0]]), [
      { bytes: 100, startNs: 0 },
      { bytes: 100, startNs: 0 },
      { bytes: 50, startNs: 20 },
    ]);
    expect(ends).toEqual([150, 100, 120]);
  });

  it('take no time from a device to itself', () => {
    expect(runFlows(clusterOf([1], [[]]), [{ bytes: 100, startNs: 3 }])).toEqual([3]);
  });
});

const loadOf = (network: Network, cluster: Cluster, flows: readonly number[], link: number): number =>
  flows.filter((flow) => cluster.routes[flow]![flow + 1]!.includes(link)).reduce((sum, flow) => sum + network.rate[flow]!, 0);

describe('max-min fairness', () => {
  const networks = fc
    .array(fc.constantFrom(0.5, 1, 2, 3, 10), { minLength: 1, maxLength: 4 })
    .chain((rates) =>
      fc.record({
        rates: fc.constant(rates),
        routes: fc.array(fc.uniqueArray(fc.nat({ max: rates.length - 1 }), { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 6,
        }),
      }),
    );

  it('never overloads a link, and gives every flow a full link on which nobody has more', () => {
    fc.assert(
      fc.property(networks, ({ rates, routes }) => {
        const cluster = clusterOf(rates, routes);
        const network = createNetwork(cluster, createEventQueue());
        const flows = [...routes.keys()];
        for (const flow of flows) startFlow(network, flow, flow * network.deviceCount + flow + 1, 1e6);
        for (const [link, rate] of rates.entries()) expect(loadOf(network, cluster, flows, link)).toBeLessThanOrEqual(rate * (1 + 1e-9));
        for (const flow of flows) {
          const bottleneck = routes[flow]!.some((link) => {
            const isFull = loadOf(network, cluster, flows, link) >= rates[link]! * (1 - 1e-9);
            const sharers = flows.filter((other) => routes[other]!.includes(link));
            return isFull && sharers.every((other) => network.rate[other]! <= network.rate[flow]! * (1 + 1e-9));
          });
          expect(bottleneck).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('moves every byte: no sooner than with all links to itself, and all of them in the end', () => {
    fc.assert(
      fc.property(networks, fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), startNs: fc.nat({ max: 3000 }) }), { minLength: 6, maxLength: 6 }), ({ rates, routes }, drawn) => {
        const flows = drawn.slice(0, routes.length);
        const ends = runFlows(clusterOf(rates, routes), flows);
        for (const [flow, { bytes, startNs }] of flows.entries()) {
          const alone = bytes / Math.min(...routes[flow]!.map((link) => rates[link]!));
          expect(ends[flow]).toBeGreaterThanOrEqual(startNs + alone - 1 - routes.length);
        }
        for (const [link, rate] of rates.entries()) {
          const users = flows.filter((_, flow) => routes[flow]!.includes(link));
          const total = users.reduce((sum, { bytes }) => sum + bytes, 0);
          const first = Math.min(...users.map(({ startNs }) => startNs));
          const last = Math.max(...flows.map((_, flow) => (routes[flow]!.includes(link) ? ends[flow]! : 0)));
          if (users.length > 0) expect((last - first + 2 * routes.length) * rate).toBeGreaterThanOrEqual(total);
        }
      }),
      { numRuns: 100 },
    );
  });
});
