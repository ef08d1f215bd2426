import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** What a stream of random numbers is for; part of its key, so that no two purposes share a stream. */
export const PURPOSE = { initialValues: 1, dropout: 2 } as const;

/**
 * A generator that depends on its key only. Keys name *what* the numbers are for (seed, layer, module, …), never where or
 * when they are drawn, so that neither the pipeline cut nor a neighbour changes them.
 */
export const generatorFor = (key: readonly number[]): RandomGenerator =>
  xoroshiro128plusFromState([1, 2, 3, 4].map((word) => key.reduce(absorb, mix(word))));

/** Numbers beyond 32 bits enter with both halves. */
const absorb = (state: number, part: number): number => mix(mix(state ^ (part | 0)) ^ Math.floor(part / 2 ** 32));

/** The finalizer of MurmurHash3 (public domain, Austin Appleby) after an odd increment, so that zero does not stay zero. */
const mix = (value: number): number => {
  let bits = (value + 0x9e3779b9) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
};
