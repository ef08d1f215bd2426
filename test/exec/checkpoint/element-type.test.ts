import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeFloats, encodeFloats, type FloatType } from '../../../exec/checkpoint/element-type.ts';

const roundTrip = (value: number, type: FloatType): number => decodeFloats(encodeFloats(Float32Array.of(value), type), type)[0]!;

/** Every bit pattern of a 16-bit type as the number it stands for. */
const allValues = (type: 'F16' | 'BF16'): Float32Array =>
  decodeFloats(new Uint8Array(Uint16Array.from({ length: 0x10000 }, (_, bits) => bits).buffer), type);

describe('floats written in a narrower type', () => {
  test.each(['F16', 'BF16'] as const)('come back as they were where %s has them', (type) => {
    const values = allValues(type);
    const again = decodeFloats(encodeFloats(values, type), type);
    expect(values.findIndex((value, i) => !Object.is(value, again[i]))).toBe(-1);
  });

  test.each(['F16', 'BF16'] as const)('become the nearest number that %s has', (type) => {
    const finite = [...new Set(allValues(type))].filter(Number.isFinite).sort((a, b) => a - b);
    const largest = finite.at(-1)!;
    fc.assert(
      fc.property(fc.float({ min: -Math.fround(largest), max: Math.fround(largest), noNaN: true }), (value) => {
        const near = roundTrip(value, type);
        const above = finite.findIndex((each) => each >= value);
        const best = Math.min(...[finite[above - 1], finite[above]].map((each) => (each === undefined ? Infinity : Math.abs(each - value))));
        expect(Math.abs(near - value)).toBe(best);
      }),
    );
  });

  test.each<[number, number]>([
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [65519, 65504],
    [65520, Infinity],
    [-1e6, -Infinity],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2 ** -23],
    [2 ** -14 * (1 - 2 ** -12), 2 ** -14],
  ])('round %d to %d in F16, ties to even', (value, expected) => {
    expect(roundTrip(value, 'F16')).toBe(expected);
  });

  test.each<[number, number]>([
    [1 + 2 ** -8, 1],
    [1 + 3 * 2 ** -8, 1 + 2 ** -6],
    [3.4e38, Infinity],
    [NaN, NaN],
  ])('round %d to %d in BF16, ties to even', (value, expected) => {
    expect(roundTrip(value, 'BF16')).toBe(expected);
  });
});
