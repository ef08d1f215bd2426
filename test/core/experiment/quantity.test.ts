import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  COMPUTE_RATE,
  formatQuantity,
  parseQuantity,
  SIZE,
  TIME,
  TRANSFER_RATE,
} from '../../../core/experiment/quantity.ts';

describe('a quantity', () => {
  it.each([
    ['30s', TIME, 30e9],
    ['30 s', TIME, 30e9],
    ['2 min', TIME, 120e9],
    ['1.5 ms', TIME, 1.5e6],
    ['11.8 us', TIME, 11_800],
    ['11.8 µs', TIME, 11_800],
    ['0.4 ns', TIME, 0],
    ['48 GB', SIZE, 48e9],
    ['48 GiB', SIZE, 48 * 2 ** 30],
    ['25 GB/s', TRANSFER_RATE, 25e9],
    ['1 Gbit/s', TRANSFER_RATE, 125e6],
    ['38.7 TFLOP/s', COMPUTE_RATE, 38.7e12],
    ['1e3 GFLOP/s', COMPUTE_RATE, 1e12],
    [0, TIME, 0],
  ])('%s is a number of base units', (text, dimension, expected) => {
    expect(parseQuantity(text, dimension)).toBe(expected);
  });

  it.each(['30', 30, 's', '-3 s', '3 GB', '1.2.3 s', '3 toString', '', null, 'Infinity s', '1e999 s'])(
    'is not %s',
    (input) => {
      expect(parseQuantity(input, TIME)).toBeNull();
    },
  );

  it('is written in the unit people use', () => {
    expect(formatQuantity(30e9, TIME)).toBe('30 s');
    expect(formatQuantity(11_800, TIME)).toBe('11.8 us');
    expect(formatQuantity(80 * 2 ** 30, SIZE)).toBe('80 GiB');
    expect(formatQuantity(80e9, SIZE)).toBe('80 GB');
    expect(formatQuantity(2039e9, TRANSFER_RATE)).toBe('2039 GB/s');
    expect(formatQuantity(154.8e12, COMPUTE_RATE)).toBe('154.8 TFLOP/s');
  });

  it('is the same after writing and reading', () => {
    const whole = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const real = fc.double({ min: 1e-3, max: 1e18, noNaN: true });
    fc.assert(
      fc.property(whole, real, (count, rate) => {
        for (const dimension of [TIME, SIZE])
          expect(parseQuantity(formatQuantity(count, dimension), dimension)).toBe(count);
        for (const dimension of [TRANSFER_RATE, COMPUTE_RATE])
          expect(parseQuantity(formatQuantity(rate, dimension), dimension)).toBe(rate);
      }),
    );
  });
});
