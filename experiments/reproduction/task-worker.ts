import { parentPort } from 'node:worker_threads';
import { runTask } from './run-task.ts';
import type { TaskReply } from './run-tasks.ts';
import type { Task } from './task.ts';

const replyTo = async (task: Task): Promise<TaskReply> => {
  try {
    return { kind: 'result', result: await runTask(task) };
  } catch (error) {
    return { kind: 'failed', message: `${JSON.stringify(task)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  }
};

parentPort!.on('message', (task: Task) => void replyTo(task).then((reply) => parentPort!.postMessage(reply)));
