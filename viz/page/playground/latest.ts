/**
 * Runs `work` for the latest of what is asked: one at a time, and of those that come meanwhile only the last. `done`
 * hears of each result, `failed` of what went wrong.
 */
export const createLatest = <T, R>(
  work: (task: T) => Promise<R>,
  done: (task: T, result: R) => void,
  failed: (error: unknown) => void,
): ((task: T) => void) => {
  let next: { readonly task: T } | null = null;
  let busy = false;
  const run = async (): Promise<void> => {
    busy = true;
    while (next !== null) {
      const { task } = next;
      next = null;
      try {
        done(task, await work(task));
      } catch (error) {
        failed(error);
      }
    }
    busy = false;
  };
  return (task) => {
    next = { task };
    if (!busy) void run();
  };
};
