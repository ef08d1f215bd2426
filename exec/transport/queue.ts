/** Values in order of arrival, for one reader. */
export interface Queue<T> {
  readonly push: (value: T) => void;
  /** The next value; rejects after `fail` once everything pushed before has been read. */
  readonly next: () => Promise<T>;
  /** Only the first failure counts. */
  readonly fail: (error: Error) => void;
}

export const createQueue = <T>(): Queue<T> => {
  const waiting: T[] = [];
  let failure: Error | null = null;
  let wake = (): void => undefined;
  return {
    push: (value) => {
      waiting.push(value);
      wake();
    },
    next: async () => {
      while (waiting.length === 0) {
        if (failure !== null) throw failure;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return waiting.shift()!;
    },
    fail: (error) => {
      failure ??= error;
      wake();
    },
  };
};
