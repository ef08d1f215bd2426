import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../../core/cluster/cluster.ts';
import { collectiveTime, groupOfDevices, ringPasses, type RankGroup } from '../../../core/cluster/collective-algorithm.ts';
import { CLUSTER_PRESETS } from '../../../core/cluster/presets.ts';
import { buildCluster } from '../../../core/cluster/topology.ts';
import { MEBI } from '../../../core/units.ts';
import { constantCluster } from '../../../sim/constant-cost.ts';

const cluster = (name: string): Cluster => {
  const built = buildCluster(CLUSTER_PRESETS.get(name)!);
  if (E.isLeft(built)) throw new Error(name);
  return built.right;
};

const groupOf = (name: string, ranks: number): RankGroup => groupOfDevices(cluster(name), Array.from({ length: ranks }, (_, device) => device));

const durationNs = (group: RankGroup, isAllReduce: boolean, bytes: number, calls = 1): number => {
  const { latencyNs, wireBytes } = collectiveTime(group, isAllReduce, { bytes, calls });
  return latencyNs + wireBytes / group.bytesPerNs;
};

describe('a collective', () => {
  it('of large tensors goes round a ring with the Simple protocol: base + steps + (N − 1)/N of the bytes, twice for a sum', () => {
    const group = groupOf('4xA6000-pcie', 4);
    // 8.4 µs to start and 5.7 µs a step over PCIe; 13.4 GB/s.
    expect(collectiveTime(group, false, { bytes: 800 * MEBI, calls: 1 })).toEqual({ latencyNs: 8400 + 3 * 5700, wireBytes: 600 * MEBI });
    expect(collectiveTime(group, true, { bytes: 800 * MEBI, calls: 1 })).toEqual({ latencyNs: 8400 + 6 * 5700, wireBytes: 1200 * MEBI });
    expect(group.bytesPerNs).toBeCloseTo(13.4, 12);
  });

  it('of small tensors takes LL, with half the bandwidth and a sixth of the latency', () => {
    const group = groupOf('4xA6000-pcie', 4);
    expect(collectiveTime(group, false, { bytes: 4000, calls: 1 })).toEqual({ latencyNs: 6600 + 3 * 1000, wireBytes: 6000 });
  });

  it('takes LL128 over NVLink only', () => {
    // 14 + 7 · 1.9 µs; 0.92 of the bandwidth.
    const { latencyNs, wireBytes } = collectiveTime(groupOf('8xH100-nvlink', 8), false, { bytes: 16 * MEBI, calls: 1 });
    expect([latencyNs, wireBytes]).toEqual([27_300, (7 / 8) * 16 * MEBI / 0.92]);
    expect(collectiveTime(groupOf('8xA6000-pcie', 8), false, { bytes: 16 * MEBI, calls: 1 }).latencyNs).toBe(8400 + 7 * 5700);
  });

  it('sums little along trees between machines, whose depth is logarithmic, and much round the ring', () => {
    const group = groupOf('8x1-3090-1gbit', 8);
    const { wireBytes } = collectiveTime(group, true, { bytes: 1000, calls: 1 });
    expect(wireBytes).not.toBeCloseTo((ringPasses(8, true) * 1000) / (1 / 2), 6);
    // Six steps down and up the tree instead of fourteen round the ring.
    expect(durationNs(group, true, 1000)).toBeLessThan(0.6 * 14 * 50_000);
    expect(collectiveTime(group, true, { bytes: 100 * MEBI, calls: 1 }).wireBytes).toBe(1.75 * 100 * MEBI);
  });

  it('pays its latency once for every call', () => {
    const group = groupOf('4xA6000-pcie', 4);
    const once = collectiveTime(group, false, { bytes: 4000, calls: 1 });
    expect(collectiveTime(group, false, { bytes: 36_000, calls: 9 })).toEqual({ latencyNs: 9 * once.latencyNs, wireBytes: 9 * once.wireBytes });
  });

  it('shares a link that several parts of its ring pass', () => {
    const throughHost = buildCluster({
      name: 'no peer-to-peer',
      machines: [
        {
          name: 'machine0',
          gpu: cluster('4xA6000-pcie').devices[0]!.gpu,
          deviceCount: 4,
          interconnect: { type: 'pcie', bytesPerSecond: 25e9, latencyNs: 14_100 as never, hostBytesPerSecond: 40e9 },
        },
      ],
      network: null,
    });
    if (E.isLeft(throughHost)) throw new Error('wrong cluster');
    expect(groupOfDevices(throughHost.right, [0, 1, 2, 3]).bytesPerNs).toBeCloseTo(20 / 4, 12);
  });

  it('has no cost on one device', () => {
    expect(collectiveTime(groupOf('4xA6000-pcie', 1), true, { bytes: 1e9, calls: 3 })).toEqual({ latencyNs: 0, wireBytes: 0 });
  });

  it('over links that NCCL does not know is a ring with their own latency', () => {
    const group = groupOfDevices(constantCluster(4, { latencyNs: 7 }), [0, 1, 2, 3]);
    expect(collectiveTime(group, true, { bytes: 80, calls: 2 })).toEqual({ latencyNs: 2 * 6 * 7, wireBytes: 120 });
  });

  it('never takes longer over faster links or for fewer bytes', () => {
    const names = fc.constantFrom('4xA6000-pcie', '8xA100-nvlink', '8x1-3090-1gbit');
    const size = fc.integer({ min: 0, max: 1e9 });
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 4 }), size, size, fc.boolean(), fc.constantFrom(1, 1.3, 5), (name, ranks, a, b, isAllReduce, speedUp) => {
        const slow = groupOf(name, ranks);
        const faster = cluster(name);
        const links = faster.links.map((link) => ({ ...link, bytesPerSecond: speedUp * link.bytesPerSecond, latencyNs: (link.latencyNs / speedUp) as typeof link.latencyNs }));
        const fast = groupOfDevices({ ...faster, links }, Array.from({ length: ranks }, (_, device) => device));
        expect(durationNs(fast, isAllReduce, Math.min(a, b))).toBeLessThanOrEqual(durationNs(slow, isAllReduce, Math.max(a, b)) + 1);
      }),
    );
  });
});
