import { describe, expect, it } from 'vitest';
import type { RankGroup } from '../../core/cluster/collective-algorithm.ts';
import { exposedSums } from '../../sim/exposed-sums.ts';

/** Two devices on a plain link: an all-reduce sends every byte once. */
const groupAt = (bytesPerNs: number): RankGroup => ({ ranks: 2, machines: 1, bytesPerNs, within: { technology: null, latencyNs: 0 }, between: null });

/** Two layers in which 100 of 250 bytes run beside a product. */
const leftAt = (bytesPerNs: number, productNs: number) =>
  exposedSums({ bytes: 500, calls: 5, bufferBytes: 7 }, [{ layers: 2, calls: 1, bytes: 100, products: [] }], { group: groupAt(bytesPerNs), timeNs: () => productNs });

describe('sums that run beside products', () => {
  it('are hidden where the product takes longer', () => {
    expect(leftAt(1, 100)).toEqual({ bytes: 300, calls: 3, bufferBytes: 7 });
    expect(leftAt(1, 1000)).toEqual(leftAt(1, 100));
  });

  it('are left over by as much as they take longer', () => {
    expect(leftAt(1, 25)).toEqual({ bytes: 450, calls: 4.5, bufferBytes: 7 });
    expect(leftAt(0.001, 0)).toEqual({ bytes: 500, calls: 5, bufferBytes: 7 });
  });

  it('never take longer on a faster link, nor together with their product on a faster device', () => {
    const rates = [0.1, 0.5, 1, 3, 10];
    const seconds = rates.map((rate) => leftAt(rate, 40).bytes / rate);
    expect(seconds).toEqual(seconds.toSorted((a, b) => b - a));
    const passes = [400, 200, 100, 50, 10].map((productNs) => 2 * productNs + leftAt(1, productNs).bytes);
    expect(passes).toEqual(passes.toSorted((a, b) => b - a));
  });
});
