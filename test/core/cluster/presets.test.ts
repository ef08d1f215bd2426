import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { GPU_PRESETS } from '../../../core/cluster/gpus.ts';
import { CLUSTER_PRESETS } from '../../../core/cluster/presets.ts';
import { undisturbedTransferNs } from '../../../core/cluster/route.ts';
import { buildCluster } from '../../../core/cluster/topology.ts';
import { GIBI } from '../../../core/units.ts';

/** Memory sizes as the cards are sold, in GB. */
const SOLD_AS: Readonly<Record<string, number>> = {
  'RTX A6000': 48,
  'RTX 3090': 24,
  'RTX 4090': 24,
  A40: 48,
  'A100-40': 40,
  'A100-80': 80,
  H100: 80,
  H200: 141,
  L40S: 48,
  B200: 180,
};

describe('processor presets', () => {
  it('are the ones promised', () => {
    expect([...GPU_PRESETS.keys()]).toEqual([...Object.keys(SOLD_AS), 'cpu-wasm']);
  });

  it.each(Object.entries(SOLD_AS))('%s can use nearly the %i GB it is sold with, and no more', (name, gigabytes) => {
    const usable = GPU_PRESETS.get(name)!.memoryBytes / GIBI;
    expect(usable).toBeLessThanOrEqual(gigabytes);
    expect(usable).toBeGreaterThan(0.93 * gigabytes);
  });

  it.each([...GPU_PRESETS])('%s is never slower in a narrower format', (_, { flopsPerSecond, source }) => {
    const { fp32, tf32, bf16, fp16 } = flopsPerSecond;
    expect([fp32, tf32, bf16]).toEqual([fp32, tf32, bf16].toSorted((a, b) => a - b));
    expect(fp16).toBe(bf16);
    expect(source).not.toBe('');
  });

  it('say which figures are to be verified', () => {
    const unverified = [...GPU_PRESETS]
      .filter(([, { source }]) => source.includes('to be verified'))
      .map(([name]) => name);
    expect(unverified).toEqual(['RTX 3090', 'RTX 4090']);
  });
});

describe('cluster presets', () => {
  const build = (name: string) => {
    const cluster = buildCluster(CLUSTER_PRESETS.get(name)!);
    if (E.isLeft(cluster)) throw new Error(JSON.stringify(cluster.left));
    return cluster.right;
  };

  it.each([
    ['1xA6000', 1, 'RTX A6000'],
    ['4xA6000-pcie', 4, 'RTX A6000'],
    ['8xA6000-pcie', 8, 'RTX A6000'],
    ['8x1-3090-1gbit', 8, 'RTX 3090'],
    ['8xA100-nvlink', 8, 'A100-80'],
    ['8xH100-nvlink', 8, 'H100'],
    ['2xcpu', 2, 'CPU core (TensorFlow.js wasm)'],
  ])('%s has %i × %s', (name, count, gpu) => {
    expect(build(name).devices.map((device) => device.gpu.name)).toEqual(Array<string>(count).fill(gpu));
  });

  it('moves 8 MiB over gigabit Ethernet at its 117 MB/s', () => {
    const seconds = undisturbedTransferNs(build('8x1-3090-1gbit'), 0, 7, 2 ** 23) / 1e9;
    expect(seconds).toBeCloseTo(2 ** 23 / 117e6, 3);
  });
});
