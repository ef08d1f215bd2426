import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../../core/cluster/cluster.ts';
import {
  INTERCONNECT_TYPES,
  type ClusterDescription,
  type InterconnectType,
  type MachineDescription,
} from '../../../core/cluster/description.ts';
import { GPU_PRESETS } from '../../../core/cluster/gpus.ts';
import { buildCluster } from '../../../core/cluster/topology.ts';
import type { Nanoseconds } from '../../../core/units.ts';

const gpu = GPU_PRESETS.get('H100')!;
const WITHIN_NS = 10 as Nanoseconds;
const BETWEEN_NS = 1000 as Nanoseconds;

const machine = (name: string, deviceCount: number, type: InterconnectType | null): MachineDescription => ({
  name,
  gpu,
  deviceCount,
  interconnect: type === null ? null : { type, bytesPerSecond: 100, latencyNs: WITHIN_NS },
});

const network = { bytesPerSecond: 7, latencyNs: BETWEEN_NS };

const build = (description: Omit<ClusterDescription, 'name'>): Cluster => {
  const cluster = buildCluster({ name: 'c', ...description });
  if (E.isLeft(cluster)) throw new Error(JSON.stringify(cluster.left));
  return cluster.right;
};

const problems = (description: Omit<ClusterDescription, 'name'>): string[] => {
  const cluster = buildCluster({ name: 'c', ...description });
  return E.isLeft(cluster) ? cluster.left.map(({ path, message }) => `${path}: ${message}`) : [];
};

/** Names of the links from one device to another. */
const way = ({ links, routes }: Cluster, from: number, to: number): string[] =>
  routes[from]![to]!.map((link) => links[link]!.name);

describe('one machine', () => {
  it('has an up and a down link per device on PCIe', () => {
    const cluster = build({ machines: [machine('m', 3, 'pcie')], network: null });
    expect(cluster.devices.map(({ name }) => name)).toEqual(['device0', 'device1', 'device2']);
    expect(cluster.links).toHaveLength(6);
    expect(way(cluster, 0, 2)).toEqual(['device0 PCIe up', 'device2 PCIe down']);
    expect(way(cluster, 1, 1)).toEqual([]);
  });

  it('shares a device’s link among all its transfers in that direction', () => {
    const { routes } = build({ machines: [machine('m', 3, 'nvlink')], network: null });
    expect(routes[0]![1]![0]).toBe(routes[0]![2]![0]);
    expect(routes[1]![0]![1]).toBe(routes[2]![0]![1]);
  });

  it('without peer-to-peer shares the host memory, which copies every transfer twice', () => {
    const pcie = machine('m', 3, 'pcie');
    const throughHost = { ...pcie, interconnect: { ...pcie.interconnect!, hostBytesPerSecond: 80 } };
    const cluster = build({ machines: [throughHost], network: null });
    expect(way(cluster, 0, 2)).toEqual(['device0 PCIe up', 'm host memory', 'device2 PCIe down']);
    expect(way(cluster, 1, 0)[1]).toBe('m host memory');
    expect(cluster.links.find(({ name }) => name === 'm host memory')?.bytesPerSecond).toBe(40);
  });

  it('is told that only PCIe goes through host memory', () => {
    const nvlink = machine('m', 2, 'nvlink');
    const wrong = { ...nvlink, interconnect: { ...nvlink.interconnect!, hostBytesPerSecond: 80 } };
    expect(problems({ machines: [wrong], network: null })).toEqual([
      'machines[0].interconnect.hostMemory: is for pcie; nvlink has its own way',
    ]);
  });

  it('wants an accelerator for each device, if for any', () => {
    expect(problems({ machines: [{ ...machine('m', 2, 'pcie'), accelerators: [0] }], network: null })).toEqual([
      'machines[0].accelerators: has 1 entries; expected one for each of the 2 devices',
    ]);
    expect(build({ machines: [{ ...machine('m', 2, 'pcie'), accelerators: [0, 0] }], network: null }).devices).toHaveLength(2);
  });

  it('needs no interconnect for a single device', () => {
    expect(build({ machines: [machine('m', 1, null)], network: null }).routes).toEqual([[[]]]);
  });
});

describe('several machines', () => {
  it('are reached over PCIe and the network', () => {
    const cluster = build({ machines: [machine('a', 2, 'pcie'), machine('b', 1, 'pcie')], network });
    expect(way(cluster, 1, 2)).toEqual(['a/device1 PCIe up', 'a network up', 'b network down', 'b/device0 PCIe down']);
  });

  it('are reached around NVLink', () => {
    const cluster = build({ machines: [machine('a', 2, 'nvlink'), machine('b', 1, null)], network });
    expect(way(cluster, 0, 2)).toEqual(['a network up', 'b network down']);
    expect(way(cluster, 0, 1)).toEqual(['a/device0 NVLink egress', 'a/device1 NVLink ingress']);
  });

  it('share one network link per direction', () => {
    const { links } = build({ machines: [machine('a', 4, 'nvlink'), machine('b', 4, 'nvlink')], network });
    expect(links.filter(({ name }) => name.includes('network'))).toHaveLength(4);
  });
});

describe('any connected cluster', () => {
  const anyMachine = (index: number) =>
    fc
      .record({ count: fc.integer({ min: 1, max: 4 }), type: fc.constantFrom(...INTERCONNECT_TYPES) })
      .map(({ count, type }) => machine(`m${index}`, count, type));
  const description = fc
    .integer({ min: 1, max: 4 })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => anyMachine(index))))
    .map((machines) => ({ machines, network: machines.length > 1 ? network : null }));

  it('has a way from every device to every other, and another way back', () => {
    fc.assert(
      fc.property(description, (described) => {
        const { devices, routes } = build(described);
        for (const from of devices.keys()) {
          for (const to of devices.keys()) {
            const there = routes[from]![to]!;
            const back = routes[to]![from]!;
            expect(there.length > 0).toBe(from !== to);
            expect(there.filter((link) => back.includes(link))).toEqual([]);
          }
        }
      }),
    );
  });

  it('makes a transfer pay each latency once', () => {
    fc.assert(
      fc.property(description, (described) => {
        const { devices, links, routes } = build(described);
        const latency = (from: number, to: number) =>
          routes[from]![to]!.reduce((sum, link) => sum + links[link]!.latencyNs, 0);
        devices.forEach((a, from) =>
          devices.forEach((b, to) => {
            const within = described.machines[a.machine]!.interconnect!.type === 'pcie' ? WITHIN_NS : 0;
            const expected = from === to ? 0 : a.machine === b.machine ? WITHIN_NS : BETWEEN_NS + within;
            expect(latency(from, to)).toBe(expected);
          }),
        );
      }),
    );
  });
});

describe('a cluster that cannot be', () => {
  it('lacks a link between its devices or machines, each reported', () => {
    expect(problems({ machines: [machine('a', 2, null), machine('b', 2, null)], network: null })).toEqual([
      'network: is missing; nothing connects the 2 machines',
      'machines[0].interconnect: is missing; nothing connects the 2 devices',
      'machines[1].interconnect: is missing; nothing connects the 2 devices',
    ]);
  });

  it('has two machines of one name', () => {
    expect(problems({ machines: [machine('a', 1, null), machine('a', 1, null)], network })).toEqual([
      'machines[1].name: is "a", the name of another machine',
    ]);
  });

  it('has no devices, or more than anyone means', () => {
    expect(problems({ machines: [], network: null })).toEqual(['machines: have 0 devices; expected 1 to 1024']);
    expect(problems({ machines: [machine('a', 1025, 'pcie')], network: null })).toHaveLength(1);
  });
});
