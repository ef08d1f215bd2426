import type { Answer, Numbered, Request } from './messages.ts';

/** The worker as functions that answer later. */
export interface Planner {
  readonly ask: (request: Request) => Promise<Answer>;
}

/** Starts a worker. A failure of ours inside it ends all that waits for an answer. */
export const startPlanner = (): Planner => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (reason: Error) => void }>();
  let last = 0;
  worker.addEventListener('message', ({ data }: MessageEvent<Numbered<Answer>>) => {
    waiting.get(data.number)?.resolve(data.body);
    waiting.delete(data.number);
  });
  worker.addEventListener('error', (event) => {
    for (const { reject } of waiting.values()) reject(new Error(event.message));
    waiting.clear();
  });
  return {
    ask: (body) =>
      new Promise((resolve, reject) => {
        const message: Numbered<Request> = { number: ++last, body };
        waiting.set(last, { resolve, reject });
        worker.postMessage(message);
      }),
  };
};
