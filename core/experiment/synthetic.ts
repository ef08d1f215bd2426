import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import type { LengthDistribution } from '../job.ts';
import { assertNever } from '../never.ts';

/** A standard normal deviate by the method of Box and Muller (1958). */
const normal = (generator: RandomGenerator): number => {
  const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
  return radius * Math.cos(2 * Math.PI * uniformFloat64(generator));
};

const clip = (length: number, maximum: number): number => Math.min(Math.max(Math.round(length), 1), maximum);

const drawLength = (distribution: LengthDistribution, generator: RandomGenerator): number => {
  switch (distribution.type) {
    case 'fixed':
      return distribution.length;
    case 'uniform':
      return uniformInt(generator, distribution.minimum, distribution.maximum);
    case 'lognormal': {
      const { mean, sigma, maximum } = distribution;
      const logMean = Math.log(mean) - (sigma * sigma) / 2;
      return clip(Math.exp(logMean + sigma * normal(generator)), maximum);
    }
    default:
      return assertNever(distribution);
  }
};

/** Lengths in tokens of made-up rows; the same seed gives the same lengths. */
export const drawLengths = (distribution: LengthDistribution, rows: number, seed: number): Uint32Array => {
  const generator = xoroshiro128plus(seed);
  return Uint32Array.from({ length: rows }, () => drawLength(distribution, generator));
};
