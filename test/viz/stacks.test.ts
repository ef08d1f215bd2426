import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxesOfStacks, type Stacks } from '../../viz/surface/stacks.ts';

const stacks: fc.Arbitrary<Stacks> = fc
  .record({
    columns: fc.integer({ min: 1, max: 12 }),
    columnWidth: fc.constantFrom(4, 5.5, 16),
    cut: fc.double({ min: 0, max: 0.9, noNaN: true }),
    parts: fc.array(fc.double({ min: 0, max: 0.5, noNaN: true }), { minLength: 36, maxLength: 36 }),
    from: fc.constantFrom('foot' as const, 'top' as const),
  })
  .map(({ columns, columnWidth, cut, parts, from }) => ({
    ...{ x: 10, y: 3, width: (columns - cut) * columnWidth, height: 20, columnWidth, from },
    fills: ['#000000', '#111111', '#222222'],
    shares: Float64Array.from(parts.slice(0, 3 * columns)),
  }));

describe('columns of stacked colours', () => {
  it('stay inside their row, and none lies on another', () => {
    fc.assert(
      fc.property(stacks, (drawn) => {
        const boxes = [...boxesOfStacks(drawn).values()].flatMap((flat) => Array.from({ length: flat.length / 4 }, (_, b) => flat.slice(4 * b, 4 * b + 4) as [number, number, number, number]));
        for (const [x, y, width, height] of boxes) {
          expect(x + width).toBeLessThanOrEqual(drawn.x + drawn.width + 1e-9);
          expect(y).toBeGreaterThanOrEqual(drawn.y - 1e-9);
          expect(y + height).toBeLessThanOrEqual(drawn.y + drawn.height + 1e-9);
        }
        for (const left of new Set(boxes.map(([x]) => x))) {
          const sorted = boxes.filter(([x]) => x === left).sort((a, b) => a[1] - b[1]);
          for (const [i, box] of sorted.slice(1).entries()) expect(box[1]).toBeGreaterThanOrEqual(sorted[i]![1] + sorted[i]![3] - 1e-9);
        }
      }),
    );
  });

  it('are as high as their shares, but for what is too low to be seen', () => {
    fc.assert(
      fc.property(stacks, (drawn) => {
        const heights = new Map<number, number>();
        for (const flat of boxesOfStacks(drawn).values()) {
          for (let b = 0; b < flat.length; b += 4) heights.set(flat[b]!, (heights.get(flat[b]!) ?? 0) + flat[b + 3]!);
        }
        for (let column = 0; column * 3 < drawn.shares.length; column++) {
          const wanted = Math.min(1, drawn.shares[3 * column]! + drawn.shares[3 * column + 1]! + drawn.shares[3 * column + 2]!) * drawn.height;
          const has = heights.get(drawn.x + column * drawn.columnWidth) ?? 0;
          expect(Math.abs(has - wanted)).toBeLessThan(0.75 + 1e-9);
        }
      }),
    );
  });
});
