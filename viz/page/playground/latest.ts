/**
 * Runs `work` for the latest of what is asked: one at a time, and of those that come meanwhile only the last. `done`
 * hears of each result, `failed` of what went wrong, `busy` of the beginning and the end of work.
 */
export const createLatest = <T, R>(
  work: (task: T) => Promise<R>,
  tell: {
    readonly done: (task: T, result: R) => void;
    readonly failed: (error: unknown) => void;
    readonly busy: (isBusy: boolean) => void;
  },
): ((task: T) => void) => {
  let next: { readonly task: T } | null = null;
  let busy = false;
  const run = async (): Promise<void> => {
    busy = true;
    tell.busy(true);
    while (next !== null) {
      const { task } = next;
      next = null;
      try {
        tell.done(task, await work(task));
      } catch (error) {
        tell.failed(error);
      }
    }
    busy = false;
    tell.busy(false);
  };
  return (task) => {
    next = { task };
    if (!busy) void run();
  };
};
