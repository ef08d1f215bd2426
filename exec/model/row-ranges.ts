import { type Tensor2D, concat, slice, zeros } from '@tensorflow/tfjs-core';
import type { RowRange } from './batch-layout.ts';

/** Copies a range of rows out of a `[rows, width]` tensor. */
export const takeRows = (tensor: Tensor2D, { start, count }: RowRange): Tensor2D =>
  slice(tensor, [start, 0], [count, tensor.shape[1]]);

/** Copies columns out of a `[rows, width]` tensor. */
export const takeColumns = (tensor: Tensor2D, start: number, count: number): Tensor2D =>
  slice(tensor, [0, start], [tensor.shape[0], count]);

/** Joins tensors of equal width row-wise; one alone is returned as it is. */
export const joinRows = (tensors: readonly Tensor2D[]): Tensor2D =>
  tensors.length === 1 ? tensors[0]! : concat([...tensors], 0);

/** The rows of several ranges, one after another. */
export const gatherRanges = (tensor: Tensor2D, ranges: readonly RowRange[]): Tensor2D =>
  ranges.length === 1 && ranges[0]!.count === tensor.shape[0]
    ? tensor
    : joinRows(ranges.map((range) => takeRows(tensor, range)));

/** The adjoint of `gatherRanges`: rows go back to their ranges, every other row of the `[rowCount, width]` result is zero. */
export const scatterRanges = (tensor: Tensor2D, ranges: readonly RowRange[], rowCount: number): Tensor2D => {
  const width = tensor.shape[1];
  const pieces: Tensor2D[] = [];
  const fillTo = (end: number, from: number): void => {
    if (end > from) pieces.push(zeros([end - from, width]));
  };
  let written = 0;
  let taken = 0;
  for (const { start, count } of ranges) {
    fillTo(start, written);
    pieces.push(takeRows(tensor, { start: taken, count }));
    taken += count;
    written = start + count;
  }
  fillTo(rowCount, written);
  return joinRows(pieces);
};
