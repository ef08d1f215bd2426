import { ExecFailure } from '../exec-error.ts';
import { localNs } from '../rank/clock.ts';
import type { FromRank } from '../rank/messages.ts';
import type { Crew } from './crew.ts';

type MessageOf<K extends FromRank['kind']> = Extract<FromRank, { kind: K }>;

const isOf = <K extends FromRank['kind']>(message: FromRank, kind: K): message is MessageOf<K> => message.kind === kind;

/**
 * Waits until every rank has sent one message of a kind and returns them by rank. Meanwhile questions about the clock
 * are answered, other messages go to `handle`, and a reported failure is thrown.
 */
export const awaitAll = async <K extends FromRank['kind']>(
  crew: Crew,
  kind: K,
  handle: (message: FromRank) => void = () => undefined,
): Promise<readonly MessageOf<K>[]> => {
  const answers = new Map<number, MessageOf<K>>();
  while (answers.size < crew.size) {
    const { rank, message } = await crew.next();
    if (message.kind === 'ping') crew.send(rank, { kind: 'pong', theirsNs: localNs() });
    else if (message.kind === 'failed') throw new ExecFailure(message.error);
    else if (isOf(message, kind)) answers.set(rank, message);
    else handle(message);
  }
  return [...answers.entries()].sort(([a], [b]) => a - b).map(([, message]) => message);
};
