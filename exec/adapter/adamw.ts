import { type Tensor1D, add, div, mul, sqrt, square, sub, tensor1d, zeros } from '@tensorflow/tfjs-core';
import type { AdamW } from '../../core/job.ts';
import { release, scoped } from '../backend/scope.ts';
import type { OptimizerState, OptimizerTask } from './optimizer-state.ts';

/**
 * AdamW in the order of operations of `torch.optim.AdamW` (PyTorch 2, `_single_tensor_adamw`): weight decay on the
 * parameters first, then the moments, bias corrections as scalars, epsilon added to the corrected root.
 */
export const createAdamW = (
  { beta1, beta2, epsilon, weightDecay }: AdamW,
  { size, learningRate, multiples: ratios, start }: OptimizerTask,
): OptimizerState => {
  let step = start?.steps ?? 0;
  const vector = (name: string): Tensor1D => (start === null ? zeros([size]) : tensor1d(start.vector(name)));
  const multiples = ratios === null ? undefined : tensor1d(ratios);
  let mean = vector('mean');
  let variance = vector('variance');
  return {
    update: (parameters, gradient) => {
      const rate = learningRate(step);
      step++;
      const correction1 = 1 - beta1 ** step;
      const correction2 = Math.sqrt(1 - beta2 ** step);
      const next = scoped(() => {
        const nextMean: Tensor1D = add(mean, mul(sub(gradient, mean), 1 - beta1));
        const nextVariance: Tensor1D = add(mul(variance, beta2), mul(square(gradient), 1 - beta2));
        const root = add(div(sqrt(nextVariance), correction2), epsilon);
        const move = scaled(div(nextMean, root), rate / correction1, multiples);
        const decay = rate * weightDecay;
        const kept = multiples === undefined ? 1 - decay : sub(1, mul(multiples, decay));
        const decayed = decay === 0 ? parameters : mul<Tensor1D>(parameters, kept);
        return { nextMean, nextVariance, nextParameters: sub<Tensor1D>(decayed, move) };
      });
      release([mean, variance]);
      mean = next.nextMean;
      variance = next.nextVariance;
      return next.nextParameters;
    },
    vectors: () => ({ mean, variance }),
    dispose: () => release([mean, variance, multiples]),
  };
};

const scaled = (values: Tensor1D, factor: number, multiples: Tensor1D | undefined): Tensor1D => {
  const product: Tensor1D = mul(values, factor);
  return multiples === undefined ? product : mul(product, multiples);
};
