import { type Tensor1D, type Tensor2D, add, matMul, transpose } from '@tensorflow/tfjs-core';
import { keepsTransposedCopies, multiplyByTransposed } from '../backend/products.ts';

/**
 * A frozen linear map y = x·Wᵀ + b. Where transposed operands are slow the weight is kept in both orientations: the wasm
 * backend multiplies them more than ten times slower, and packs each right-hand side once for all later products.
 */
export interface FrozenLinear {
  /** W `[out, in]`, right-hand side of the backward. */
  readonly weight: Tensor2D;
  /** Wᵀ `[in, out]`, right-hand side of the forward; undefined where the backend reads W transposed. */
  readonly transposed: Tensor2D | undefined;
  readonly bias: Tensor1D | undefined;
}

/** The map of a weight that stays the caller's, with the copy that this backend needs beside it. */
export const frozenLinear = (weight: Tensor2D, bias?: Tensor1D): FrozenLinear => ({
  weight,
  transposed: keepsTransposedCopies() ? transpose(weight) : undefined,
  bias,
});

/** x·Wᵀ `[rows, out]`. */
export const applyWeight = ({ weight, transposed }: FrozenLinear, x: Tensor2D): Tensor2D =>
  transposed === undefined ? multiplyByTransposed(x, weight) : matMul(x, transposed);

/** y `[rows, out]` from x·Wᵀ. */
export const addBias = ({ bias }: FrozenLinear, product: Tensor2D): Tensor2D =>
  bias === undefined ? product : add(product, bias);

/** y `[rows, out]`. */
export const applyLinear = (linear: FrozenLinear, x: Tensor2D): Tensor2D => addBias(linear, applyWeight(linear, x));

/** ∇x = ∇y·W `[rows, in]`. */
export const applyLinearBackward = ({ weight }: FrozenLinear, gradient: Tensor2D): Tensor2D => matMul(gradient, weight);
