import { Tinypool } from 'tinypool';

export interface WorkerPool<Task, Result> {
  readonly run: (task: Task) => Promise<Result>;
  /** Ends all threads, whatever they are doing. */
  readonly close: () => Promise<void>;
}

/** Threads that run the default export of a compiled module. */
export const openWorkerPool = <Task, Result>(worker: URL, threads: number, signal?: AbortSignal): WorkerPool<Task, Result> => {
  const pool = new Tinypool({ filename: worker.href, minThreads: threads, maxThreads: threads });
  return {
    run: (task) => pool.run(task, signal === undefined ? {} : { signal }) as Promise<Result>,
    close: () => pool.destroy(),
  };
};
