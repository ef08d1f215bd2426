import { openWorkerPool, type WorkerPool } from '../worker-pool.ts';
import { runTask } from './run-task.ts';
import type { Task, TaskResult } from './task.ts';

export interface TaskRunOptions {
  /** Worker threads; 0 computes in this one. */
  readonly workers: number;
  readonly onResult: (task: Task, result: TaskResult) => void;
  /** Ends the computation; what was computed has been handed to `onResult`. */
  readonly signal?: AbortSignal;
}

type Runner = WorkerPool<Task, TaskResult>;

const HERE: Runner = { run: runTask, close: () => Promise.resolve() };

/** Tasks that take minutes go first, so that none of them is left alone at the end. */
const byLength = (tasks: readonly Task[]): Task[] => {
  const isLong = ({ kind }: Task): boolean => kind === 'convergence' || kind === 'memoryModel';
  return [...tasks.filter(isLong), ...tasks.filter((task) => !isLong(task))];
};

/** Computes every task on all workers; rejects with the first failure. */
export const runTasks = async (tasks: readonly Task[], { workers, onResult, signal }: TaskRunOptions): Promise<void> => {
  if (tasks.length === 0) return;
  const threads = Math.min(workers, tasks.length);
  const runner = threads === 0 ? HERE : openWorkerPool<Task, TaskResult>(new URL('./task-worker.js', import.meta.url), threads, signal);
  const queue = byLength(tasks).values();
  const work = async (): Promise<void> => {
    for (const task of queue) {
      if (signal?.aborted === true) return;
      onResult(task, await runner.run(task));
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, threads) }, work));
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  } finally {
    await runner.close();
  }
};
