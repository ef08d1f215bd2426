import { runTask } from './run-task.ts';
import type { Task, TaskResult } from './task.ts';

/** What a worker thread of a reproduction runs. */
const computeTask = async (task: Task): Promise<TaskResult> => {
  try {
    return await runTask(task);
  } catch (error) {
    throw new Error(`${JSON.stringify(task)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, { cause: error });
  }
};

export default computeTask;
