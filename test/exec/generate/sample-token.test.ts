import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSampler } from '../../../exec/generate/sample-token.ts';

const logitsOf = fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 20 });

describe('a sampled token', () => {
  test('is the first of the likeliest ones at temperature 0', () => {
    fc.assert(
      fc.property(logitsOf, (logits) => {
        expect(createSampler(0, 1)(Float32Array.from(logits))).toBe(logits.indexOf(Math.max(...logits)));
      }),
    );
  });

  test('is one of the vocabulary at any temperature, the same for the same seed', () => {
    fc.assert(
      fc.property(logitsOf, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.integer(), (logits, temperature, seed) => {
        const token = createSampler(temperature, seed)(Float32Array.from(logits));
        expect(token >= 0 && token < logits.length).toBe(true);
        expect(createSampler(temperature, seed)(Float32Array.from(logits))).toBe(token);
      }),
    );
  });

  test('comes as often as softmax(logits ÷ temperature) says', () => {
    const sample = createSampler(2, 7);
    const logits = Float32Array.of(0, 2 * Math.log(2), 2 * Math.log(5));
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 8000; draw++) counts[sample(logits)]!++;
    expect(counts.map((count) => Math.round((count / 8000) * 8))).toEqual([1, 2, 5]);
  });
});
