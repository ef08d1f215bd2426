import { type Tensor1D, type Tensor2D, add, matMul } from '@tensorflow/tfjs-core';

/**
 * A frozen linear map y = x·Wᵀ + b. The weight is kept in both orientations, because the wasm backend multiplies
 * transposed operands more than ten times slower and packs each right-hand side once for all later products.
 */
export interface FrozenLinear {
  /** Wᵀ `[in, out]`, right-hand side of the forward. */
  readonly forward: Tensor2D;
  /** W `[out, in]`, right-hand side of the backward. */
  readonly backward: Tensor2D;
  readonly bias: Tensor1D | undefined;
}

/** x·Wᵀ `[rows, out]`. */
export const applyWeight = ({ forward }: FrozenLinear, x: Tensor2D): Tensor2D => matMul(x, forward);

/** y `[rows, out]` from x·Wᵀ. */
export const addBias = ({ bias }: FrozenLinear, product: Tensor2D): Tensor2D =>
  bias === undefined ? product : add(product, bias);

/** y `[rows, out]`. */
export const applyLinear = (linear: FrozenLinear, x: Tensor2D): Tensor2D => addBias(linear, applyWeight(linear, x));

/** ∇x = ∇y·W `[rows, in]`. */
export const applyLinearBackward = ({ backward }: FrozenLinear, gradient: Tensor2D): Tensor2D =>
  matMul(gradient, backward);
