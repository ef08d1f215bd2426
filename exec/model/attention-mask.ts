import type { AttentionChunk } from './batch-layout.ts';

/** Far below every score, and finite: the softmax turns it into an exact zero. */
const MASKED = -1e30;

/**
 * Writes what is added to the scores of a chunk, `[size, size]` row-major with `size` at least the chunk's tokens: a token
 * sees itself and earlier tokens of its own row. Queries beyond the chunk see its first token, so that no row is all masked.
 */
export const fillMask = (mask: Float32Array, { rowLengths, count }: AttentionChunk, size: number): void => {
  mask.fill(MASKED);
  let first = 0;
  for (const length of rowLengths) {
    for (let query = first; query < first + length; query++) mask.fill(0, query * size + first, query * size + query + 1);
    first += length;
  }
  for (let query = count; query < size; query++) mask[query * size] = 0;
};
