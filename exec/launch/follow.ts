import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { runRank } from '../rank/rank-process.ts';
import type { Launch } from './environment.ts';
import { announcedHost, ANY_PORT, type JoinSettings } from './lead.ts';
import { findCoordinator } from './meeting.ts';

type Together = Extract<Launch, { kind: 'together' }>;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Serves as one rank of a run that another process coordinates, until that lets it go. Left: why it could not. Signals to end
 * are left to the coordinator: schedulers send them to all processes of a job, and it ends training where it can go on later.
 */
export const followCoordinator = async ({ rank, meeting }: Together, settings: JoinSettings): Promise<E.Either<string, void>> => {
  const { folder, joinSeconds, silenceSeconds } = settings;
  const way = await findCoordinator(meeting, folder, joinSeconds);
  if (E.isLeft(way)) return E.left(`rank ${rank}: ${way.left}`);
  const { control, key, ownAddress } = way.right;
  for (const signal of SIGNALS) process.on(signal, () => undefined);
  try {
    await runRank({ rank, control, inbox: ANY_PORT, host: announcedHost(ownAddress), runFolder: null, silenceSeconds, joinSeconds }, key);
    return E.right(undefined);
  } catch (error) {
    return E.left(`rank ${rank}: ${messageOf(error)}`);
  }
};
