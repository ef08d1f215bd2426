import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, createAllocator, release, type Block } from '../../../core/plan/caching-allocator.ts';
import { memoryNeed } from '../../../core/plan/memory-need.ts';
import { reservedBytes } from '../../../core/plan/reserved-memory.ts';
import type { MicrobatchShape } from '../../../core/plan/plan.ts';
import { parseProgram } from '../../../core/plan/text.ts';
import { planOneForwardOneBackward } from '../../../core/planners/barrier.ts';
import { MEBI } from '../../../core/units.ts';
import { constantCost } from '../../../sim/constant-cost.ts';

/** Reserved MiB after allocations (positive) and frees of the allocation so many places back (negative, counted from 1). */
const reservedMebi = (...steps: readonly number[]): number => {
  const allocator = createAllocator();
  const blocks: Block[] = [];
  for (const step of steps) {
    if (step > 0) blocks.push(allocate(allocator, step * MEBI));
    else release(allocator, blocks.at(step)!);
  }
  return allocator.reservedBytes / MEBI;
};

describe('a caching allocator', () => {
  it('reserves multiples of 2 MiB, at least 20 MiB for medium and 2 MiB for small blocks', () => {
    expect(reservedMebi(0.5)).toBe(2);
    expect(reservedMebi(3)).toBe(20);
    expect(reservedMebi(101)).toBe(102);
  });

  it('uses again what fits, and splits where more than 1 MiB would be left', () => {
    expect(reservedMebi(100, -1, 100)).toBe(100);
    expect(reservedMebi(100, -1, 60, 40)).toBe(100);
    expect(reservedMebi(100, -1, 99.5, 30)).toBe(130);
  });

  it('leaves behind what is too small for what comes next', () => {
    expect(reservedMebi(100, -1, 120)).toBe(220);
  });

  it('merges freed neighbours', () => {
    expect(reservedMebi(100, -1, 40, 60, -1, -2, 100)).toBe(100);
  });

  it('gives whole free segments back before it goes over the capacity', () => {
    const allocator = createAllocator(150 * MEBI);
    release(allocator, allocate(allocator, 100 * MEBI));
    allocate(allocator, 120 * MEBI);
    expect([allocator.reservedBytes, allocator.peakBytes]).toEqual([120 * MEBI, 120 * MEBI]);
  });

  it('never reserves less than is held at once, and no more than all blocks would need alone', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 200 * MEBI }), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (drawn) => {
        const allocator = createAllocator();
        const live: { readonly block: Block; readonly bytes: number }[] = [];
        let peak = 0;
        for (const [bytes, frees] of drawn) {
          live.push({ block: allocate(allocator, bytes), bytes });
          peak = Math.max(peak, live.reduce((sum, each) => sum + each.bytes, 0));
          if (frees) release(allocator, live.splice(bytes % live.length, 1)[0]!.block);
        }
        expect(allocator.reservedBytes).toBeGreaterThanOrEqual(peak);
        expect(allocator.reservedBytes).toBeLessThanOrEqual(drawn.reduce((sum, [bytes]) => sum + bytes + 20 * MEBI, 0));
      }),
    );
  });
});

describe('memory reserved by a program', () => {
  const stages = [0, 1].map((device) => ({ device, firstLayer: 4 * device, endLayer: 4 * device + 4 }));
  const planOf = (iterations: number) => {
    const adapter = { name: 'a', iterations, microbatches: 4, arrivalNs: 0, priority: 0, part: () => ({ rows: 1, tokens: 8, squaredTokens: 64 }) };
    return planOneForwardOneBackward({ adapters: [adapter] }, ['x', 'y'], stages);
  };
  const cost = constantCost({
    forwardNs: 1,
    backwardNs: 1,
    activationBytes: 800 * MEBI,
    transientBytes: 30 * MEBI,
    baseWeightBytes: 1000 * MEBI,
    contextBytes: 500 * MEBI,
    adapterBytes: 10 * MEBI,
  });

  it('is the peak where all microbatches are equal, however long it runs', () => {
    for (const iterations of [1, 5]) {
      const plan = planOf(iterations);
      for (const device of [0, 1]) expect(reservedBytes(plan, cost, device)).toBe(memoryNeed(plan, cost, device).totalBytes);
    }
  });

  it('tells microbatches, adapters and gathered weights of the same number apart', () => {
    const cost = { ...constantCost({ forwardNs: 1, backwardNs: 1, activationBytes: 100 * MEBI, adapterBytes: 30 * MEBI }), gatheredBytes: () => 400 * MEBI };
    const rows = { name: 'a', iterations: 3, microbatches: 1, arrivalNs: 0, priority: 0, part: () => ({ rows: 1, tokens: 8, squaredTokens: 64 }) };
    const planned = planOneForwardOneBackward({ adapters: [rows] }, ['x'], [{ device: 0, firstLayer: 0, endLayer: 2 }]);
    expect(reservedBytes(planned, cost, 0)).toBe(memoryNeed(planned, cost, 0).totalBytes);
    const lines = ['0LOAD0 0GATHER_F0 0F0 0GATHER_B0 0B0 0STEP0.0', '0LOAD0 0F0 0B0 0STEP0.0'].map((line) => {
      const program = parseProgram(line);
      if (E.isLeft(program)) throw new Error(JSON.stringify(program.left));
      const plan = { ...planned, programs: [program.right] };
      return reservedBytes(plan, cost, 0) - memoryNeed(plan, cost, 0).totalBytes;
    });
    expect(lines).toEqual([0, 0]);
  });

  it('is more where they are not', () => {
    const unequal = { ...cost, activationBytes: (_: number, { parts }: MicrobatchShape) => [800, 1000, 900, 1100][parts[0]!.tokens - 8]! * MEBI };
    const lengths = { name: 'a', iterations: 4, microbatches: 4, arrivalNs: 0, priority: 0, part: (_: number, index: number) => ({ rows: 1, tokens: 8 + index, squaredTokens: 64 }) };
    const plan = planOneForwardOneBackward({ adapters: [lengths] }, ['x', 'y'], stages);
    expect(reservedBytes(plan, unequal, 0)).toBeGreaterThan(memoryNeed(plan, unequal, 0).totalBytes);
  });
});
