import { type Tensor1D, add, mul, sub, tensor1d, zeros } from '@tensorflow/tfjs-core';
import type { Sgd } from '../../core/job.ts';
import { release, scoped } from '../backend/scope.ts';
import type { OptimizerState, OptimizerTask } from './optimizer-state.ts';

/** SGD in the order of operations of `torch.optim.SGD` (PyTorch 2, no dampening, no Nesterov momentum). */
export const createSgd = (
  { momentum, weightDecay }: Sgd,
  { size, learningRate, multiples: ratios, start }: OptimizerTask,
): OptimizerState => {
  let step = start?.steps ?? 0;
  const multiples = ratios === null ? undefined : tensor1d(ratios);
  const begin = (): Tensor1D => (start === null ? zeros([size]) : tensor1d(start.vector('momentum')));
  let velocity = momentum === 0 ? undefined : begin();
  return {
    update: (parameters, gradient) => {
      const rate = learningRate(step);
      step++;
      const next = scoped(() => {
        const decayed: Tensor1D = weightDecay === 0 ? gradient : add(gradient, mul(parameters, weightDecay));
        const nextVelocity: Tensor1D | undefined = velocity && add(mul(velocity, momentum), decayed);
        const move: Tensor1D = mul(nextVelocity ?? decayed, rate);
        return { nextVelocity, nextParameters: sub<Tensor1D>(parameters, multiples ? mul(move, multiples) : move) };
      });
      release(velocity);
      velocity = next.nextVelocity;
      return next.nextParameters;
    },
    vectors: () => (velocity === undefined ? {} : { momentum: velocity }),
    dispose: () => release([velocity, multiples]),
  };
};
