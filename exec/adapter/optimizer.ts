import { assertNever } from '../../core/never.ts';
import type { Optimizer } from '../../core/job.ts';
import { createAdamW } from './adamw.ts';
import type { OptimizerState, OptimizerTask } from './optimizer-state.ts';
import { createSgd } from './sgd.ts';

/** An optimizer for a task, fresh or going on where an earlier one was. */
export const createOptimizer = (settings: Optimizer, task: OptimizerTask): OptimizerState => {
  switch (settings.type) {
    case 'adamw':
      return createAdamW(settings, task);
    case 'sgd':
      return createSgd(settings, task);
    default:
      return assertNever(settings);
  }
};
