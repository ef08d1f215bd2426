import type { Tensor1D } from '@tensorflow/tfjs-core';

/** An optimizer with its state for one flat parameter vector. */
export interface OptimizerState {
  /** Returns the next parameters; the caller keeps owning both arguments. */
  readonly update: (parameters: Tensor1D, gradient: Tensor1D) => Tensor1D;
  readonly dispose: () => void;
}
