import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JobSize } from '../../../core/scheduler/memory-law.ts';
import { createMemoryModel } from '../../../core/scheduler/memory-model.ts';

const lawBytes = ({ rows, length }: JobSize): number => 3e8 + 9e4 * rows * length + 40 * rows * length * length;
const ask = (size: JobSize, ledgerBytes: number) => ({ kind: 'any', sizes: [size], ledgerBytes: [ledgerBytes] });
const sizes = fc.record({ rows: fc.integer({ min: 1, max: 16 }), length: fc.integer({ min: 8, max: 256 }).map((eighth) => 8 * eighth) });

describe('the memory model', () => {
  test('is the ledger before anything was measured, with a margin', () => {
    const [estimate] = createMemoryModel().estimate(ask({ rows: 1, length: 512 }, 1000));
    expect(estimate!.bytes).toBe(1000);
    expect(createMemoryModel().upperBytes(ask({ rows: 1, length: 512 }, 1000))[0]).toBe(1075);
  });

  test('takes over from one measurement how far the ledger is off', () => {
    const model = createMemoryModel();
    model.observe(ask({ rows: 4, length: 512 }, 1000), [1200]);
    expect(model.estimate(ask({ rows: 2, length: 512 }, 500))[0]!.bytes).toBeCloseTo(600);
  });

  test('knows what follows the law to 1 % from three sizes, though the ledger is 20 % off', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const model = createMemoryModel();
        for (const seen of [{ rows: 1, length: 2048 }, { rows: 16, length: 128 }, { rows: 16, length: 2048 }]) model.observe(ask(seen, 0.8 * lawBytes(seen)), [lawBytes(seen)]);
        const { bytes } = model.estimate(ask(size, 0.8 * lawBytes(size)))[0]!;
        expect(Math.abs(bytes / lawBytes(size) - 1)).toBeLessThan(0.01);
      }),
    );
  });

  test('the upper end is not below what is held, with measurements 1 % apart from the law', () => {
    const noise = fc.array(fc.tuple(sizes, fc.double({ min: -0.01, max: 0.01, noNaN: true })), { minLength: 6, maxLength: 20 });
    fc.assert(
      fc.property(noise, sizes, (measured, size) => {
        const model = createMemoryModel();
        for (const [seen, off] of measured) model.observe(ask(seen, lawBytes(seen)), [lawBytes(seen) * (1 + off)]);
        expect(model.upperBytes(ask(size, lawBytes(size)))[0]).toBeGreaterThanOrEqual(lawBytes(size));
      }),
    );
  });

  test('goes on from its observations as plain data', () => {
    const model = createMemoryModel();
    model.observe(ask({ rows: 4, length: 512 }, 1000), [1200]);
    const again = createMemoryModel(JSON.parse(JSON.stringify(model.observations)) as typeof model.observations);
    expect(again.estimate(ask({ rows: 2, length: 64 }, 50))).toEqual(model.estimate(ask({ rows: 2, length: 64 }, 50)));
  });
});
