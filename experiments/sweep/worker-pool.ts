import { Tinypool } from 'tinypool';
import type { PointTask } from './evaluate-point.ts';
import type { PointResult } from './sweep.ts';

export interface WorkerPool {
  readonly evaluate: (task: PointTask) => Promise<PointResult>;
  /** Ends all threads, whatever they are doing. */
  readonly close: () => Promise<void>;
}

/** Threads of the compiled worker. */
export const openWorkerPool = (threads: number, signal: AbortSignal): WorkerPool => {
  const pool = new Tinypool({ filename: new URL('./worker.js', import.meta.url).href, minThreads: threads, maxThreads: threads });
  return {
    evaluate: (task) => pool.run(task, { signal }) as Promise<PointResult>,
    close: () => pool.destroy(),
  };
};
