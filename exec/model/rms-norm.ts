import { type Tensor1D, type Tensor2D, add, mean, mul, rsqrt, square, sub } from '@tensorflow/tfjs-core';
import { scoped } from '../backend/scope.ts';

/** What the backward needs: x/rms(x) `[tokens, hidden]` and 1/rms(x) `[tokens, 1]`. */
export interface RmsNormSaved {
  readonly normalized: Tensor2D;
  readonly inverseRms: Tensor2D;
}

/** y = w∘x/√(mean(x²) + ε), row by row (Zhang and Sennrich 2019). */
export const forwardRmsNorm = (
  x: Tensor2D,
  weight: Tensor1D,
  epsilon: number,
): { output: Tensor2D; saved: RmsNormSaved } =>
  scoped(() => {
    const inverseRms: Tensor2D = rsqrt(add<Tensor2D>(mean(square(x), 1, true), epsilon));
    const normalized: Tensor2D = mul(x, inverseRms);
    return { output: mul<Tensor2D>(normalized, weight), saved: { normalized, inverseRms } };
  });

/** The norm's output again from what was saved. */
export const recomputeRmsNorm = ({ normalized }: RmsNormSaved, weight: Tensor1D): Tensor2D => mul(normalized, weight);

/** With g = w∘∇y and n = x/rms: ∇x = (g − n·mean(g∘n))/rms. The weight is frozen. */
export const backwardRmsNorm = (
  { normalized, inverseRms }: RmsNormSaved,
  weight: Tensor1D,
  gradient: Tensor2D,
): Tensor2D =>
  scoped(() => {
    const weighted = mul(gradient, weight);
    const along = mean(mul(weighted, normalized), 1, true);
    return mul<Tensor2D>(sub(weighted, mul(normalized, along)), inverseRms);
  });
