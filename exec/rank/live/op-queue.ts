import type { Op } from '../../../core/plan/op.ts';

/** Ops that one stream takes as they come. Iterating ends after `end` once all are taken, and throws after `fail` at once. */
export interface OpQueue extends AsyncIterable<Op> {
  readonly push: (op: Op) => void;
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

/** `onTake` is told of every op as its stream begins with it. */
export const createOpQueue = (onTake: (op: Op) => void = () => undefined): OpQueue => {
  let waiting: Op[] = [];
  let next = 0;
  let isEnded = false;
  let failure: Error | null = null;
  let wake = (): void => undefined;
  const take = (): Op => {
    const op = waiting[next++]!;
    if (next === waiting.length) {
      waiting = [];
      next = 0;
    }
    onTake(op);
    return op;
  };
  return {
    push: (op) => {
      waiting.push(op);
      wake();
    },
    end: () => {
      isEnded = true;
      wake();
    },
    fail: (error) => {
      failure ??= error;
      wake();
    },
    [Symbol.asyncIterator]: async function* () {
      for (;;) {
        if (failure !== null) throw failure;
        if (waiting.length > 0) yield take();
        else if (isEnded) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
};
