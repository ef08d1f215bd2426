import { Worker } from 'node:worker_threads';
import { runTask } from './run-task.ts';
import type { Task, TaskResult } from './task.ts';

/** Something that computes one task after another. */
interface Runner {
  readonly run: (task: Task) => Promise<TaskResult>;
  readonly close: () => void;
}

export interface TaskRunOptions {
  /** Worker threads; 0 computes in this one. */
  readonly workers: number;
  readonly onResult: (task: Task, result: TaskResult) => void;
  /** Ends the computation; what was computed has been handed to `onResult`. */
  readonly signal?: AbortSignal;
}

/** A task's outcome as it comes back from a worker. */
export type TaskReply = { readonly kind: 'result'; readonly result: TaskResult } | { readonly kind: 'failed'; readonly message: string };

const startWorker = (): Runner => {
  const worker = new Worker(new URL('./task-worker.js', import.meta.url));
  let waiting: { readonly resolve: (result: TaskResult) => void; readonly reject: (error: Error) => void } | null = null;
  const fail = (error: Error): void => waiting?.reject(error);
  worker.on('message', (reply: TaskReply) =>
    reply.kind === 'result' ? waiting?.resolve(reply.result) : fail(new Error(reply.message)),
  );
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new Error(`a worker ended with code ${code}`)));
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        worker.postMessage(task);
      }),
    close: () => void worker.terminate(),
  };
};

const HERE: Runner = { run: runTask, close: () => undefined };

/** Tasks that take minutes go first, so that none of them is left alone at the end. */
const byLength = (tasks: readonly Task[]): Task[] => {
  const isLong = ({ kind }: Task): boolean => kind === 'convergence' || kind === 'memoryModel';
  return [...tasks.filter(isLong), ...tasks.filter((task) => !isLong(task))];
};

/** Computes every task on all workers; rejects with the first failure. */
export const runTasks = async (tasks: readonly Task[], { workers, onResult, signal }: TaskRunOptions): Promise<void> => {
  const queue = byLength(tasks);
  const runners = workers === 0 ? [HERE] : Array.from({ length: Math.min(workers, tasks.length) }, startWorker);
  const closeAll = (): void => runners.forEach(({ close }) => close());
  signal?.addEventListener('abort', closeAll, { once: true });
  const work = async ({ run }: Runner): Promise<void> => {
    for (let task = queue.shift(); task !== undefined && signal?.aborted !== true; task = queue.shift()) {
      onResult(task, await run(task));
    }
  };
  try {
    await Promise.all(runners.map(work));
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  } finally {
    closeAll();
  }
};
