import type { Task, TaskKind, TaskOf, TaskResult, TaskResults } from './task.ts';
import { measureBubble } from './tasks/bubble.ts';
import { trainCrowdAndSolo } from './tasks/convergence.ts';
import { fitMemoryModel } from './tasks/memory-model.ts';
import { priceOperator } from './tasks/operator.ts';
import { simulateTask } from './tasks/simulate.ts';

type Runners = { readonly [Kind in TaskKind]: (task: TaskOf<Kind>) => TaskResults[Kind] | Promise<TaskResults[Kind]> };

const RUNNERS: Runners = {
  simulate: simulateTask,
  bubble: measureBubble,
  memoryModel: fitMemoryModel,
  convergence: trainCrowdAndSolo,
  operator: priceOperator,
};

/** Computes a task; the same task gives the same result. */
export const runTask = async (task: Task): Promise<TaskResult> =>
  (RUNNERS[task.kind] as (task: Task) => TaskResult | Promise<TaskResult>)(task);
