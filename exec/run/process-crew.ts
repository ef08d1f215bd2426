import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExecFailure } from '../exec-error.ts';
import type { RankSettings } from '../rank/settings.ts';
import { LOCAL_LINE } from '../transport/line.ts';
import { createQueue } from '../transport/queue.ts';
import { openCoordinatorLine } from './coordinator-line.ts';
import type { Crew, Report } from './crew.ts';
import { createLostLines } from './lost-lines.ts';
import { endRankChildren, startRankChild } from './rank-child.ts';
import { watchSilence } from './silence-watch.ts';

/** A rank speaks between two ops; the longest op must be shorter than this. */
export const PATIENCE_SECONDS = 60;
const JOIN_SECONDS = 30;

/**
 * Starts one operating-system process per rank on this machine. They talk over sockets in a folder of their own, which
 * `dismiss` removes. A rank that is silent for `patienceSeconds` fails the run. A rank also ends by itself when this
 * process is gone, and removes the folder then.
 */
export const startProcessCrew = async (size: number, rankEntry: string, patienceSeconds = PATIENCE_SECONDS): Promise<Crew> => {
  const runFolder = await mkdtemp(join(tmpdir(), 'mlora-'));
  const reports = createQueue<Report>();
  const failRank = (rank: number, reason: string): void =>
    reports.fail(new ExecFailure({ kind: 'rankFailed', rank, reason }));
  const watch = watchSilence(size, patienceSeconds, (rank) => failRank(rank, `it has not answered for ${patienceSeconds} s`));
  const lostLines = createLostLines(reports.push);
  const identities = new Map<number, string>();
  const line = await openCoordinatorLine(`ipc://${join(runFolder, 'control')}`, LOCAL_LINE, {
    onFault: failRank,
    onMessage: ({ identity, rank }, message) => {
      identities.set(rank, identity);
      watch.heard(rank);
      if (message.kind !== 'alive' && message.kind !== 'goodbye' && !lostLines.hold({ rank, message })) reports.push({ rank, message });
    },
  });
  const settingsOf = (rank: number): RankSettings => ({
    rank,
    control: line.address,
    inbox: `ipc://${join(runFolder, `rank-${rank}`)}`,
    host: null,
    runFolder,
    silenceSeconds: LOCAL_LINE.silenceSeconds,
    joinSeconds: JOIN_SECONDS,
  });
  const ranks = Array.from({ length: size }, (_, rank) => startRankChild(rankEntry, settingsOf(rank), null));
  for (const [rank, { ended, lastWords }] of ranks.entries()) {
    void ended.then((cause) => reports.fail(new ExecFailure({ kind: 'rankDied', rank, cause, lastWords: lastWords() })));
  }
  return {
    size,
    // A rank is spoken to in answer to its hello only.
    send: (rank, message) => line.send(identities.get(rank)!, message),
    next: reports.next,
    fail: reports.fail,
    dismiss: async () => {
      watch.stop();
      lostLines.stop();
      for (const identity of identities.values()) line.send(identity, { kind: 'leave' });
      await endRankChildren(ranks);
      line.close();
      await rm(runFolder, { recursive: true, force: true });
    },
  };
};
