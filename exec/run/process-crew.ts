import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as E from 'fp-ts/lib/Either.js';
import { Router } from 'zeromq';
import { ExecFailure } from '../exec-error.ts';
import type { FromRank } from '../rank/messages.ts';
import type { RankSettings } from '../rank/settings.ts';
import { decodeControl, encodeControl } from '../transport/control-codec.ts';
import { createQueue } from '../transport/queue.ts';
import type { Crew, Report } from './crew.ts';
import { createLostLines } from './lost-lines.ts';
import { watchSilence } from './silence-watch.ts';

const GRACE_MS = 2000;
/** A rank speaks between two ops; the longest op must be shorter than this. */
const PATIENCE_SECONDS = 60;
const LAST_WORDS_LENGTH = 4000;

interface RankProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  readonly lastWords: () => string;
}

const causeOf = (code: number | null, signal: NodeJS.Signals | null): string => {
  if (signal === 'SIGKILL') return 'it was killed (SIGKILL); the system does that to a process when memory runs out';
  return signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
};

const startRank = (entry: string, settings: RankSettings): RankProcess => {
  const child = spawn(process.execPath, [entry, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  const listen = (chunk: Buffer): void => {
    words = (words + chunk.toString()).slice(-LAST_WORDS_LENGTH);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
    child.once('close', (code, signal) => resolve(causeOf(code, signal)));
  });
  return { child, ended, lastWords: () => words };
};

const routingId = (rank: number): string => `rank-${rank}`;

/** Passes the ranks' messages on until the socket is closed. */
const listenTo = async (router: Router, size: number, report: (report: Report) => void): Promise<void> => {
  const ranks = new Map(Array.from({ length: size }, (_, rank) => [routingId(rank), rank]));
  for await (const [sender, ...parts] of router) {
    const rank = ranks.get(String(sender));
    const message = decodeControl(parts);
    if (E.isLeft(message)) throw new Error(message.left);
    if (rank === undefined) throw new Error(`a message from ${String(sender)}, which is no rank of this run`);
    report({ rank, message: message.right as FromRank });
  }
};

/** Sends messages to the ranks one after the other: the socket takes only one at a time. */
const createSender = (router: Router, fail: (rank: number, reason: string) => void): Crew['send'] => {
  let sending = Promise.resolve();
  return (rank, message) => {
    sending = sending
      .then(() => router.send([routingId(rank), ...encodeControl(message)]))
      .catch((error: unknown) => fail(rank, String(error)));
  };
};

const endAll = async (ranks: readonly RankProcess[]): Promise<void> => {
  const allEnded = Promise.all(ranks.map(({ ended }) => ended));
  const patience = new AbortController();
  const tooLate = setTimeout(GRACE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  await Promise.race([allEnded, tooLate]);
  patience.abort();
  for (const { child } of ranks) child.kill('SIGKILL');
  await allEnded;
};

/**
 * Starts one operating-system process per rank on this machine. They talk over sockets in a folder of their own, which
 * `dismiss` removes. A rank that is silent for `patienceSeconds` fails the run. A rank also ends by itself when this
 * process is gone, and removes the folder then.
 */
export const startProcessCrew = async (size: number, rankEntry: string, patienceSeconds = PATIENCE_SECONDS): Promise<Crew> => {
  const runFolder = await mkdtemp(join(tmpdir(), 'mlora-'));
  const control = `ipc://${join(runFolder, 'control')}`;
  const router = new Router({ linger: 0 });
  await router.bind(control);
  const reports = createQueue<Report>();
  const failRank = (rank: number, reason: string): void =>
    reports.fail(new ExecFailure({ kind: 'rankFailed', rank, reason }));
  const watch = watchSilence(size, patienceSeconds, (rank) => failRank(rank, `it has not answered for ${patienceSeconds} s`));
  const lostLines = createLostLines(reports.push);
  const report = (each: Report): void => {
    watch.heard(each.rank);
    if (each.message.kind !== 'alive' && !lostLines.hold(each)) reports.push(each);
  };
  listenTo(router, size, report).catch((error: unknown) => failRank(0, String(error)));
  const ranks = Array.from({ length: size }, (_, rank) =>
    startRank(rankEntry, { rank, control, inbox: `ipc://${join(runFolder, routingId(rank))}`, runFolder }),
  );
  for (const [rank, { ended, lastWords }] of ranks.entries()) {
    void ended.then((cause) => reports.fail(new ExecFailure({ kind: 'rankDied', rank, cause, lastWords: lastWords() })));
  }
  const send = createSender(router, failRank);
  return {
    size,
    send,
    next: reports.next,
    fail: reports.fail,
    dismiss: async () => {
      watch.stop();
      lostLines.stop();
      for (let rank = 0; rank < size; rank++) send(rank, { kind: 'stop' });
      await endAll(ranks);
      router.close();
      await rm(runFolder, { recursive: true, force: true });
    },
  };
};
