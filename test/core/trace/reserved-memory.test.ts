import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS, MEMORY_CLASSES } from '../../../core/cost-model.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
import { reservedBytes } from '../../../core/trace/reserved-memory.ts';
import { MEBI } from '../../../core/units.ts';
import { traceOfLines } from './traces.ts';

/** Reserved MiB after one class holds these MiB one after the other on a device of so many MiB. */
const reservedMebi = (held: readonly number[], name: keyof typeof MEMORY_CLASS = 'activations', capacity = 1000): number => {
  const changes = held.map((mebi, timeNs) => ({ device: 0, memoryClass: MEMORY_CLASS[name], timeNs, bytes: mebi * MEBI }));
  const trace = traceOfLines(['0F0 0-1000'], changes);
  return reservedBytes({ ...trace, devices: trace.devices.map((device) => ({ ...device, capacityBytes: capacity * MEBI })) })[0]! / MEBI;
};

describe('memory that a caching allocator reserves', () => {
  it('comes in multiples of 2 MiB, at least 20 MiB for medium and 2 MiB for small blocks', () => {
    expect(reservedMebi([0.5])).toBe(2);
    expect(reservedMebi([3])).toBe(20);
    expect(reservedMebi([101])).toBe(102);
  });

  it('is used again by what fits, and split where more than 1 MiB would be left', () => {
    expect(reservedMebi([100, 0, 100, 0])).toBe(100);
    expect(reservedMebi([100, 0, 60, 98])).toBe(100);
  });

  it('stays behind where it is too small for what comes next', () => {
    expect(reservedMebi([100, 0, 120])).toBe(220);
  });

  it('is given back where a new segment would not fit beside it', () => {
    expect(reservedMebi([100, 0, 120], 'activations', 200)).toBe(120);
    expect(reservedMebi([100, 10, 120], 'activations', 200)).toBe(210);
  });

  it('merges freed neighbours', () => {
    expect(reservedMebi([100, 0, 40, 90, 0, 100])).toBe(100);
  });

  it('counts the context beside, as nvidia-smi does', () => {
    expect(reservedMebi([500], 'context')).toBe(500);
  });

  it('is never less than the peak, and no more than all that was ever allocated needs', () => {
    const changes = fc.array(fc.record({ memoryClass: fc.nat(MEMORY_CLASSES.length - 1), bytes: fc.nat(200 * MEBI) }), { maxLength: 60 });
    fc.assert(
      fc.property(changes, (steps) => {
        const trace = traceOfLines(['0F0 0-1000'], steps.map((step, timeNs) => ({ device: 0, timeNs, ...step })));
        const reserved = reservedBytes(trace)[0]!;
        expect(reserved).toBeGreaterThanOrEqual(peakMemory(trace)[0]!.bytes);
        expect(reserved).toBeLessThanOrEqual(steps.reduce((sum, { bytes }) => sum + bytes + 20 * MEBI, 0));
      }),
    );
  });
});
