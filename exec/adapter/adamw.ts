import { type Tensor1D, add, dispose, div, mul, sqrt, square, sub, zeros } from '@tensorflow/tfjs-core';
import type { AdamW } from '../../core/job.ts';
import { scoped } from '../backend/scope.ts';
import type { OptimizerState } from './optimizer-state.ts';

/**
 * AdamW in the order of operations of `torch.optim.AdamW` (PyTorch 2, `_single_tensor_adamw`): weight decay on the
 * parameters first, then the moments, bias corrections as scalars, epsilon added to the corrected root.
 */
export const createAdamW = (settings: AdamW, size: number): OptimizerState => {
  const { learningRate, beta1, beta2, epsilon, weightDecay } = settings;
  let step = 0;
  let mean: Tensor1D = zeros([size]);
  let variance: Tensor1D = zeros([size]);
  return {
    update: (parameters, gradient) => {
      step++;
      const correction1 = 1 - beta1 ** step;
      const correction2 = Math.sqrt(1 - beta2 ** step);
      const next = scoped(() => {
        const nextMean: Tensor1D = add(mean, mul(sub(gradient, mean), 1 - beta1));
        const nextVariance: Tensor1D = add(mul(variance, beta2), mul(square(gradient), 1 - beta2));
        const root = add(div(sqrt(nextVariance), correction2), epsilon);
        const decayed = weightDecay === 0 ? parameters : mul(parameters, 1 - learningRate * weightDecay);
        const nextParameters: Tensor1D = sub(decayed, mul(div(nextMean, root), learningRate / correction1));
        return { nextMean, nextVariance, nextParameters };
      });
      dispose([mean, variance]);
      mean = next.nextMean;
      variance = next.nextVariance;
      return next.nextParameters;
    },
    dispose: () => dispose([mean, variance]),
  };
};
