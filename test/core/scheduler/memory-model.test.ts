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

  test('follows the ledger where the sizes that were measured say nothing of the law', () => {
    // Rows of one length: what grows with tokens and what grows with their squares are the same.
    const model = createMemoryModel();
    for (const rows of [1, 2, 4, 8]) model.observe(ask({ rows, length: 512 }, lawBytes({ rows, length: 512 })), [lawBytes({ rows, length: 512 })]);
    const other = { rows: 2, length: 2048 };
    const { bytes, margin } = model.estimate(ask(other, lawBytes(other)))[0]!;
    expect(Math.abs(bytes / lawBytes(other) - 1)).toBeLessThan(0.01);
    expect(margin).toBeGreaterThan(model.estimate(ask({ rows: 6, length: 512 }, lawBytes({ rows: 6, length: 512 })))[0]!.margin);
  });

  test('tells the LM head, which only targets reach, from what all tokens hold, and takes what a pass needs as predicted', () => {
    const kept = ({ rows, length, targets = 0 }: JobSize): number => lawBytes({ rows, length }) + 5e5 * targets;
    const pass = ({ rows, length }: JobSize): number => Math.max(4e5 * rows * length, 300 * rows * length * length);
    const seen = [8, 64, 512, 2048].flatMap((length) => [1, 5].map((rows) => ({ rows, length, targets: Math.ceil((rows * length) / (rows + 2)) })));
    const model = createMemoryModel();
    const questionOf = (size: JobSize) => ({ ...ask(size, 0.9 * (kept(size) + pass(size))), passBytes: [pass(size)] });
    for (const size of seen) model.observe(questionOf(size), [kept(size) + pass(size)]);
    fc.assert(
      fc.property(sizes, fc.double({ min: 0.1, max: 1, noNaN: true }), ({ rows, length }, share) => {
        const size = { rows, length, targets: share * rows * length };
        expect(Math.abs(model.estimate(questionOf(size))[0]!.bytes / (kept(size) + pass(size)) - 1)).toBeLessThan(0.01);
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
