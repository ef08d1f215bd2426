import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimateOffset, localNs } from '../../../exec/rank/clock.ts';

describe('the offset between two clocks', () => {
  it('is off by at most half the shortest round trip', () => {
    const delays = fc.array(fc.tuple(fc.nat(1e6), fc.nat(1e6)), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(fc.integer(), delays, (offset, trips) => {
        let time = 0;
        const samples = trips.map(([there, back]) => {
          const askedNs = time;
          time += there + back;
          return { askedNs, theirsNs: askedNs + there + offset, answeredNs: time };
        });
        const shortest = Math.min(...trips.map(([there, back]) => there + back));
        expect(Math.abs(estimateOffset(samples) - offset)).toBeLessThanOrEqual(shortest / 2 + 1);
      }),
    );
  });
});

it('this process’s clock counts whole nanoseconds and never goes back', () => {
  const times = Array.from({ length: 1000 }, localNs);
  expect(times.every((time, i) => Number.isInteger(time) && time >= (times[i - 1] ?? 0))).toBe(true);
});
