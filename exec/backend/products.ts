import { type Rank, type Tensor, getBackend, matMul, transpose } from '@tensorflow/tfjs-core';

/*
 * Products with a transposed operand. Native TensorFlow and WebGPU read it as it lies; the others multiply it more than
 * ten times slower than a copy (wasm) or gain nothing (cpu), so there the copy is made.
 */
const READ_TRANSPOSED: ReadonlySet<string> = new Set(['tensorflow', 'webgpu']);

/** Whether the current backend multiplies transposed operands at full speed, so that no transposed copy need be kept. */
export const multipliesTransposed = (): boolean => READ_TRANSPOSED.has(getBackend());

type Matrices = Tensor<Rank.R2> | Tensor<Rank.R4>;

const swapLast = <T extends Matrices>(matrices: T): T =>
  transpose(matrices as Tensor, matrices.rank === 2 ? [1, 0] : [0, 1, 3, 2]) as T;

/** a·bᵀ, matrix by matrix. */
export const multiplyByTransposed = <T extends Matrices>(a: T, b: T): T =>
  multipliesTransposed() ? matMul<T>(a, b, false, true) : matMul<T>(a, swapLast(b));

/** aᵀ·b, matrix by matrix. */
export const multiplyTransposed = <T extends Matrices>(a: T, b: T): T =>
  multipliesTransposed() ? matMul<T>(a, b, true, false) : matMul<T>(swapLast(a), b);

/** A matrix that several products take transposed: copied once where the backend needs a copy. */
export interface TransposedOperand {
  readonly matrix: Tensor<Rank.R2>;
  readonly isCopy: boolean;
}

/** Makes a left operand of `multiplyTransposedOperand`; a copy is the running scope's. */
export const leftOperand = (matrix: Tensor<Rank.R2>): TransposedOperand =>
  multipliesTransposed() ? { matrix, isCopy: false } : { matrix: swapLast(matrix), isCopy: true };

/** aᵀ·b. */
export const multiplyTransposedOperand = ({ matrix, isCopy }: TransposedOperand, b: Tensor<Rank.R2>): Tensor<Rank.R2> =>
  matMul(matrix, b, !isCopy, false);

/** Whether the current backend multiplies stacks of matrices as fast as single ones, at one kernel instead of many. */
export const multipliesStacks = (): boolean => READ_TRANSPOSED.has(getBackend());
