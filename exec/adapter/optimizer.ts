import type { Optimizer } from '../../core/job.ts';
import { createAdamW } from './adamw.ts';
import type { OptimizerState } from './optimizer-state.ts';

const creators: {
  readonly [T in Optimizer['type']]: (settings: Extract<Optimizer, { type: T }>, size: number) => OptimizerState;
} = {
  adamw: createAdamW,
};

/** A fresh optimizer for `size` parameters. */
export const createOptimizer = (settings: Optimizer, size: number): OptimizerState =>
  creators[settings.type](settings, size);
