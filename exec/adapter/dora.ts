import { type Tensor1D, type Tensor2D, add, div, matMul, mul, sqrt, square, sub, sum } from '@tensorflow/tfjs-core';
import { scoped } from '../backend/scope.ts';
import { type LowRankBackward, type LowRankGradients, type LowRankSaved, backwardLowRank, forwardLowRank } from './low-rank.ts';
import type { LowRankOperands } from './low-rank.ts';

/**
 * DoRA (Liu et al. 2024) as PEFT 0.10 has it: h = b + s∘(W + scale·B·A)x̃ + W(x − x̃), where x̃ is the input after dropout and
 * s = magnitude / ‖row of W + scale·B·A‖; the norm counts as a constant in the backward (section 4.3).
 */
export interface MagnitudeOperands {
  /** s, `[out]`. */
  readonly ratio: Tensor1D;
  /** ‖row of W + scale·B·A‖, `[out]`. */
  readonly norm: Tensor1D;
}

/** Lengths of the rows of a `[out, in]` matrix. */
export const rowNorms = (weight: Tensor2D): Tensor1D => scoped(() => sqrt(sum<Tensor1D>(square(weight), 1)));

/** `weight` is the frozen W `[out, in]`. */
export const magnitudeOperands = (
  magnitude: Tensor1D,
  weight: Tensor2D,
  { scaledUpTransposed, downTransposed }: LowRankOperands,
): MagnitudeOperands =>
  scoped(() => {
    const norm = rowNorms(add(weight, matMul<Tensor2D>(scaledUpTransposed, downTransposed)));
    return { ratio: div<Tensor1D>(magnitude, norm), norm };
  });

export interface DoraSaved extends LowRankSaved {
  /** (W + scale·B·A)x̃, `[tokens, out]`. */
  readonly direction: Tensor2D;
}

export interface DoraForward {
  readonly operands: LowRankOperands;
  readonly magnitude: MagnitudeOperands;
  readonly rows: Tensor2D;
  readonly mask: Tensor2D | undefined;
  /** Wx without bias for these rows. */
  readonly product: Tensor2D;
  /** x·Wᵀ for other inputs x. */
  readonly throughWeight: (x: Tensor2D) => Tensor2D;
}

/** What DoRA adds to the base module's output. */
export const forwardDora = (call: DoraForward): { delta: Tensor2D; saved: DoraSaved } =>
  scoped(() => {
    const { operands, magnitude, rows, mask, throughWeight } = call;
    const { delta, saved } = forwardLowRank(operands, rows, mask);
    const product = mask === undefined ? call.product : throughWeight(mul(rows, mask));
    const direction: Tensor2D = add(product, delta);
    return { delta: sub<Tensor2D>(mul(direction, magnitude.ratio), product), saved: { ...saved, direction } };
  });

export interface DoraBackward extends Omit<LowRankBackward, 'saved'> {
  readonly magnitude: MagnitudeOperands;
  readonly saved: DoraSaved;
  /** W `[out, in]`. */
  readonly weight: Tensor2D;
}

export interface DoraGradients extends LowRankGradients {
  /** `[out]`. */
  readonly magnitude: Tensor1D;
  /** What has to go back through W instead of the output's gradient; the rest of the input gradient is in `input`. */
  readonly throughBase: Tensor2D;
}

/** Without dropout x̃ = x, and s∘∇h goes through W once; with it the masked part needs a product of its own. */
export const backwardDora = (call: DoraBackward): DoraGradients =>
  scoped(() => {
    const { magnitude, saved, gradient, weight, needsInput } = call;
    const scaled: Tensor2D = mul(gradient, magnitude.ratio);
    const lowRank = backwardLowRank({ ...call, gradient: scaled });
    const own: Tensor1D = div(sum<Tensor1D>(mul(gradient, saved.direction), 0), magnitude.norm);
    if (saved.mask === undefined || !needsInput) return { ...lowRank, magnitude: own, throughBase: scaled };
    const masked: Tensor2D = mul(matMul<Tensor2D>(sub(scaled, gradient), weight), saved.mask);
    return { ...lowRank, input: add<Tensor2D>(lowRank.input!, masked), magnitude: own, throughBase: gradient };
  });
