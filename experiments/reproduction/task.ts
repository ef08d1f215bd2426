import type { BubbleResult, BubbleTask } from './tasks/bubble.ts';
import type { ConvergenceResult, ConvergenceTask } from './tasks/convergence.ts';
import type { MemoryModelResult, MemoryModelTask } from './tasks/memory-model.ts';
import type { OperatorResult, OperatorTask } from './tasks/operator.ts';
import type { SimulateResult, SimulateTask } from './tasks/simulate.ts';

/** Something to compute, as plain data: it travels to a worker thread, and equal tasks are computed once. */
export type Task = SimulateTask | BubbleTask | MemoryModelTask | ConvergenceTask | OperatorTask;

/** What each kind of task gives. */
export interface TaskResults {
  readonly simulate: SimulateResult;
  readonly bubble: BubbleResult;
  readonly memoryModel: MemoryModelResult;
  readonly convergence: ConvergenceResult;
  readonly operator: OperatorResult;
}

export type TaskKind = Task['kind'];
export type TaskOf<Kind extends TaskKind> = Extract<Task, { readonly kind: Kind }>;
export type TaskResult = TaskResults[TaskKind];

/** Equal tasks have equal keys. */
export const taskKey = (task: Task): string => JSON.stringify(task);
