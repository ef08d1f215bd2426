import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GPU_PRESETS } from '../../core/cluster/gpus.ts';
import { gemmRows, interpolate, type GemmTable } from '../../sim/kernel-tables.ts';
import { GPU_PROFILES } from '../../sim/profiles/gpu-profiles.ts';
import { createRoofline, kernelMeasures, rooflineCost } from '../../sim/roofline.ts';

const TABLES = ['A40', 'A100-80', 'H100'] as const;
const tableOf = (name: string): GemmTable => GPU_PROFILES.get(name)!.gemmTable!;

/** Predicted µs of one fp16 product with a frozen weight. */
const predictedUs = (name: string, m: number, n: number, k: number): number => {
  // Tables measure kernels alone, so the gap to the next one is left out.
  const profile = { ...GPU_PROFILES.get(name)!, kernelGapNs: { value: 0, origin: 'guess', source: 'no next kernel' } } as const;
  const roofline = createRoofline(profile, GPU_PRESETS.get(name)!, { precision: 'fp16', attention: 'flash' });
  const product = { kind: 'gemm', weight: 'frozen', m, n, k, bytes: 2 * (m * n + n * k + k * m), count: 1 } as const;
  return rooflineCost(roofline, kernelMeasures([product])).deviceNs / 1000;
};

describe.each(TABLES)('the products measured on a %s', (name) => {
  const table = tableOf(name);

  it('are predicted as measured, no kernel under 2 µs', () => {
    for (const [n, k, ...times] of table.products) {
      times.forEach((us, column) => expect(predictedUs(name, table.tokens[column]!, n!, k!)).toBeCloseTo(Math.max(2, us), 6));
    }
  });

  it('predict each other: leaving one weight out costs less than 12 % in the median from 64 tokens up', () => {
    const errors = table.products.flatMap(([n, k, ...times], left) => {
      const { coverage, shares } = gemmRows({ ...table, products: table.products.filter((_, at) => at !== left) })(n!, k!);
      const own = gemmRows(table)(n!, k!).shares;
      return coverage === 'measured' ? times.flatMap((_, column) => (table.tokens[column]! < 64 ? [] : [Math.abs(own[column]! / shares[column]! - 1)])) : [];
    });
    expect(errors.length).toBeGreaterThan(300);
    expect(errors.sort((a, b) => a - b)[Math.floor(errors.length / 2)]!).toBeLessThan(0.12);
  });

  it('stay finite and positive wherever they are asked', () => {
    const size = fc.integer({ min: 1, max: 200_000 });
    fc.assert(
      fc.property(size, size, size, (m, n, k) => {
        const us = predictedUs(name, m, n, k);
        expect(us).toBeGreaterThan(0);
        expect(us).toBeLessThan(Infinity);
      }),
    );
  });
});

describe('a table of products', () => {
  it('says how far a weight is from the measured ones', () => {
    const rowOf = gemmRows(tableOf('A100-80'));
    expect(rowOf(4096, 4096).coverage).toBe('measured');
    expect(rowOf(151_936, 4096).coverage).toBe('otherWeight');
    expect(rowOf(16, 4096).coverage).toBe('none');
  });

  it('is straight between its columns in the logarithms and level beyond them', () => {
    expect(interpolate([1, 4], [10, 40], 2)).toBeCloseTo(20, 9);
    expect([interpolate([1, 4], [10, 40], 0.5), interpolate([1, 4], [10, 40], 9)]).toEqual([10, 40]);
  });
});

describe('memory-bound kernels', () => {
  it.each(TABLES)('on a %s take longer for more bytes', (name) => {
    const roofline = createRoofline(GPU_PROFILES.get(name)!, GPU_PRESETS.get(name)!, { precision: 'fp16', attention: 'flash' });
    const us = (form: 'plain' | 'norm' | 'activation' | 'rope', bytes: number): number =>
      rooflineCost(roofline, kernelMeasures([{ kind: 'elementwise', form, bytes, count: 1 }])).deviceNs;
    const sizes = fc.integer({ min: 1, max: 2 ** 30 });
    fc.assert(
      fc.property(fc.constantFrom('plain', 'norm', 'activation', 'rope'), sizes, sizes, (form, a, b) => {
        // Measured bandwidth has noise of a few percent.
        expect(us(form, Math.min(a, b))).toBeLessThanOrEqual(1.1 * us(form, Math.max(a, b)));
      }),
    );
  });
});
