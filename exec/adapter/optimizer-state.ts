import type { Tensor1D } from '@tensorflow/tfjs-core';

/** An optimizer with its state for one flat parameter vector. */
export interface OptimizerState {
  /** Returns the next parameters; the caller keeps owning both arguments. */
  readonly update: (parameters: Tensor1D, gradient: Tensor1D) => Tensor1D;
  /** What the optimizer remembers beside its count of steps, by name: one vector as long as the parameters each. */
  readonly vectors: () => Readonly<Record<string, Tensor1D>>;
  readonly dispose: () => void;
}

/** Where an optimizer goes on after `steps` steps. */
export interface OptimizerStart {
  readonly steps: number;
  /** Values of the vector of that name. */
  readonly vector: (name: string) => Float32Array;
}

/** What an optimizer works on and how far it goes in each step. */
export interface OptimizerTask {
  /** Number of parameters. */
  readonly size: number;
  /** Learning rate of a step, counted from 0. */
  readonly learningRate: (step: number) => number;
  /** Multiple of that rate for every parameter; null where all are 1. */
  readonly multiples: Float32Array | null;
  /** null: a fresh optimizer. */
  readonly start: OptimizerStart | null;
}
