import { type Tensor2D, matMul, mul } from '@tensorflow/tfjs-core';
import { type TransposedOperand, multiplyTransposedOperand, multiplyWideTransposed } from '../backend/products.ts';
import { scoped } from '../backend/scope.ts';

/**
 * The trained matrices of one module in the orientations that plain products need; they change with every step. The
 * adapter's scale is in the two that are multiplied first, so that no product over tokens has to be scaled.
 */
export interface LowRankOperands {
  /** scale·Aᵀ `[in, rank]`, first in the forward. */
  readonly scaledDown: Tensor2D;
  /** Bᵀ `[rank, out]`, second in the forward. */
  readonly up: Tensor2D;
  /** scale·B `[out, rank]`, first in the backward. */
  readonly scaledUpTransposed: Tensor2D;
  /** A `[rank, in]`, second in the backward. */
  readonly downTransposed: Tensor2D;
}

/** What the backward needs besides the operands and the input rows. */
export interface LowRankSaved {
  /** scale·x·Aᵀ, `[tokens, rank]`. */
  readonly inner: Tensor2D;
  /** Dropout mask of the input, where the adapter has dropout. */
  readonly mask: Tensor2D | undefined;
}

/** scale·(x∘mask)·Aᵀ·Bᵀ for the adapter's own rows. */
export const forwardLowRank = (
  operands: LowRankOperands,
  rows: Tensor2D,
  mask: Tensor2D | undefined,
): { delta: Tensor2D; saved: LowRankSaved } =>
  scoped(() => {
    const input = mask === undefined ? rows : mul<Tensor2D>(rows, mask);
    const inner: Tensor2D = matMul(input, operands.scaledDown);
    return { delta: matMul<Tensor2D>(inner, operands.up), saved: { inner, mask } };
  });

export interface LowRankGradients {
  /** Gradient of Aᵀ, `[in, rank]`. */
  readonly A: Tensor2D;
  /** Gradient of B, `[out, rank]`. */
  readonly B: Tensor2D;
  /** Gradient of the input rows through the low-rank path; undefined where it was not asked for. */
  readonly input: Tensor2D | undefined;
}

export interface LowRankBackward {
  readonly operands: LowRankOperands;
  readonly saved: LowRankSaved;
  /** x∘mask `[tokens, in]` as left operand; modules that share an input share it, where no dropout tells them apart. */
  readonly input: TransposedOperand;
  /** Gradient of the module's output on the same rows. */
  readonly gradient: Tensor2D;
  readonly needsInput: boolean;
}

/** Paper section 3.3: ∇A = xᵀ∇h·Bᵀ, ∇B = Aᵀxᵀ∇h, input gradient ∇h·Bᵀ·Aᵀ, each with scale and dropout mask. */
export const backwardLowRank = ({
  operands,
  saved,
  input,
  gradient,
  needsInput,
}: LowRankBackward): LowRankGradients =>
  scoped(() => {
    const { inner, mask } = saved;
    const innerGradient: Tensor2D = matMul(gradient, operands.scaledUpTransposed);
    return {
      A: multiplyTransposedOperand(input, innerGradient),
      B: multiplyWideTransposed(gradient, inner),
      input: needsInput ? masked(matMul(innerGradient, operands.downTransposed), mask) : undefined,
    };
  });

const masked = (values: Tensor2D, mask: Tensor2D | undefined): Tensor2D =>
  mask === undefined ? values : mul(values, mask);
