import { type Rank, type Tensor, backend, getBackend, matMul, transpose } from '@tensorflow/tfjs-core';
import type { NodeKernelBackend } from './tfjs-node.ts';

/*
 * Products with a transposed operand. Native TensorFlow and WebGPU read it as it lies; the others multiply it more than
 * ten times slower than a copy (wasm) or gain nothing (cpu), so there the copy is made.
 */
const READ_TRANSPOSED: ReadonlySet<string> = new Set(['tensorflow', 'webgpu']);

const readsTransposed = (): boolean => READ_TRANSPOSED.has(getBackend());

const isTensorflow = (): boolean => getBackend() === 'tensorflow';

/**
 * Whether a frozen weight is multiplied faster by a transposed copy that is kept. On the processor TensorFlow reads the
 * weight as it lies, but takes up to twice the time for it: 264 µs instead of 143 for 100 rows of 192 by 512.
 */
export const keepsTransposedCopies = (): boolean =>
  !readsTransposed() || (isTensorflow() && !(backend() as NodeKernelBackend).isUsingGpuDevice);

type Matrices = Tensor<Rank.R2> | Tensor<Rank.R4>;

const swapLast = <T extends Matrices>(matrices: T): T =>
  transpose(matrices as Tensor, matrices.rank === 2 ? [1, 0] : [0, 1, 3, 2]) as T;

/** a·bᵀ, matrix by matrix. */
export const multiplyByTransposed = <T extends Matrices>(a: T, b: T): T =>
  readsTransposed() ? matMul<T>(a, b, false, true) : matMul<T>(a, swapLast(b));

/** aᵀ·b, matrix by matrix. */
export const multiplyTransposed = <T extends Matrices>(a: T, b: T): T =>
  readsTransposed() ? matMul<T>(a, b, true, false) : matMul<T>(swapLast(a), b);

/**
 * aᵀ·b where both have many rows and b few columns. TensorFlow packs the transposed operand at a price that the wide one
 * does not earn back: bᵀ·a and a transpose of the small result take a third of the time for 400 rows of 192 and 8.
 */
export const multiplyWideTransposed = (a: Tensor<Rank.R2>, b: Tensor<Rank.R2>): Tensor<Rank.R2> =>
  isTensorflow() ? swapLast(matMul(b, a, true, false)) : multiplyTransposed(a, b);

/** A matrix that several products take transposed: copied once where the backend needs a copy. */
export interface TransposedOperand {
  readonly matrix: Tensor<Rank.R2>;
  readonly isCopy: boolean;
}

/** Makes a left operand of `multiplyTransposedOperand`; a copy is the running scope's. */
export const leftOperand = (matrix: Tensor<Rank.R2>): TransposedOperand =>
  readsTransposed() ? { matrix, isCopy: false } : { matrix: swapLast(matrix), isCopy: true };

/** aᵀ·b, as `multiplyWideTransposed`. */
export const multiplyTransposedOperand = ({ matrix, isCopy }: TransposedOperand, b: Tensor<Rank.R2>): Tensor<Rank.R2> =>
  isCopy ? matMul(matrix, b) : multiplyWideTransposed(matrix, b);

/** Whether the current backend multiplies stacks of matrices as fast as single ones, at one kernel instead of many. */
export const multipliesStacks = (): boolean => READ_TRANSPOSED.has(getBackend());
