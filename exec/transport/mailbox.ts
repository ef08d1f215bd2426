/** Values that wait for their taker, and takers that wait for their value, by name. */
export interface Mailbox<T> {
  /** Throws if a value of that name is waiting already. */
  readonly put: (name: string, value: T) => void;
  /** Each value goes to one taker. Rejects if somebody waits for that name already, or once the mailbox has failed. */
  readonly take: (name: string) => Promise<T>;
  /** Rejects every waiting and every later take. */
  readonly fail: (error: Error) => void;
  /** Values nobody has taken, removed from the mailbox. */
  readonly drain: () => readonly T[];
}

interface Taker<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export const createMailbox = <T>(): Mailbox<T> => {
  const values = new Map<string, T>();
  const takers = new Map<string, Taker<T>>();
  let failure: Error | null = null;
  return {
    put: (name, value) => {
      const taker = takers.get(name);
      if (taker === undefined) {
        if (values.has(name)) throw new Error(`${name} is there twice`);
        values.set(name, value);
      } else {
        takers.delete(name);
        taker.resolve(value);
      }
    },
    take: (name) =>
      new Promise((resolve, reject) => {
        const value = values.get(name);
        if (value !== undefined) {
          values.delete(name);
          resolve(value);
        } else if (failure !== null) reject(failure);
        else if (takers.has(name)) reject(new Error(`${name} is awaited twice`));
        else takers.set(name, { resolve, reject });
      }),
    fail: (error) => {
      failure ??= error;
      for (const { reject } of takers.values()) reject(error);
      takers.clear();
    },
    drain: () => {
      const left = [...values.values()];
      values.clear();
      return left;
    },
  };
};
