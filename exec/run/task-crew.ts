import { ExecFailure } from '../exec-error.ts';
import type { ToRank } from '../rank/messages.ts';
import { serveRank, type RankHost } from '../rank/serve-rank.ts';
import { createQueue, type Queue } from '../transport/queue.ts';
import type { Crew, Report } from './crew.ts';

/** Ranks as tasks of this process: for tests and for runs on one core. */
export const startTaskCrew = (hosts: readonly RankHost[]): Crew => {
  const reports = createQueue<Report>();
  const orders = hosts.map((): Queue<ToRank> => createQueue());
  const serving = hosts.map((host, rank) =>
    serveRank({ send: (message) => reports.push({ rank, message }), next: orders[rank]!.next }, host),
  );
  for (const [rank, served] of serving.entries()) {
    served.catch((error: unknown) => reports.fail(new ExecFailure({ kind: 'rankFailed', rank, reason: String(error) })));
  }
  return {
    size: hosts.length,
    send: (rank, message) => orders[rank]!.push(message),
    next: reports.next,
    fail: reports.fail,
    dismiss: async () => {
      for (const order of orders) order.push({ kind: 'stop' });
      await Promise.allSettled(serving);
    },
  };
};
