/*
 * Back-pressure. Of each channel, a direction into a stage, only so many tensors may be under way: sent, and not yet taken
 * by the op that receives them. Receives of a channel stand in the order of its sends, and plans are free of deadlock even
 * where a send waits for its receive (core/plan/lower-transfers.ts), so that waiting for credit cannot deadlock either.
 */

/** One tensor is taken in while the next is on its way. */
const UNDER_WAY = 2;

/** How far a sender may go ahead of its receivers. */
export interface Credits {
  /** Resolves when the next tensor of a channel may go out, in order of the calls. */
  readonly spend: (channel: string) => Promise<void>;
  /** The receiver has taken that many tensors of a channel so far. */
  readonly grant: (channel: string, taken: number) => void;
  /** Rejects every waiting and every later call. */
  readonly fail: (error: Error) => void;
}

interface Account {
  sent: number;
  taken: number;
  readonly waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
}

export const createCredits = (underWay = UNDER_WAY): Credits => {
  const accounts = new Map<string, Account>();
  let failure: Error | null = null;
  const accountOf = (channel: string): Account => {
    const account = accounts.get(channel) ?? { sent: 0, taken: 0, waiting: [] };
    accounts.set(channel, account);
    return account;
  };
  const release = (account: Account): void => {
    while (account.waiting.length > 0 && account.sent < account.taken + underWay) {
      account.sent++;
      account.waiting.shift()!.resolve();
    }
  };
  return {
    spend: (channel) =>
      new Promise((resolve, reject) => {
        if (failure !== null) return reject(failure);
        const account = accountOf(channel);
        account.waiting.push({ resolve, reject });
        release(account);
      }),
    grant: (channel, taken) => {
      const account = accountOf(channel);
      account.taken = taken;
      release(account);
    },
    fail: (error) => {
      failure ??= error;
      for (const { waiting } of accounts.values()) for (const { reject } of waiting.splice(0)) reject(error);
    },
  };
};
