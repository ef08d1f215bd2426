import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Order in which one epoch visits `rowCount` rows: a uniform permutation that depends on seed and epoch only. */
export const shuffleRows = (rowCount: number, seed: number, epoch: number): Uint32Array => {
  const generator = xoroshiro128plus(seed);
  for (let jumps = 0; jumps < epoch; jumps++) generator.jump();
  const order = Uint32Array.from({ length: rowCount }, (_, row) => row);
  for (let last = rowCount - 1; last > 0; last--) {
    const other = uniformInt(generator, 0, last);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
};

/**
 * Order in which an epoch visits rows of these lengths, longest first: neighbours have similar lengths, and what does
 * not fit into memory fails at once. Rows of the same length are shuffled.
 */
export const sortRows = (lengths: readonly number[], seed: number, epoch: number): Uint32Array =>
  shuffleRows(lengths.length, seed, epoch).sort((a, b) => lengths[b]! - lengths[a]!);
