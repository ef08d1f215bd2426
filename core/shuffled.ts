import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** The items in an order drawn from the seed (Fisher and Yates). */
export const shuffled = <T>(items: readonly T[], seed: number): T[] => {
  const generator = xoroshiro128plus(seed);
  const result = [...items];
  for (let left = result.length - 1; left > 0; left--) {
    const other = uniformInt(generator, 0, left);
    [result[left], result[other]] = [result[other]!, result[left]!];
  }
  return result;
};
