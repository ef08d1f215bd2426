import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import type { RankSettings } from '../rank/settings.ts';
import { KEY_VARIABLE, type RunKey } from '../transport/run-key.ts';

const GRACE_MS = 2000;
const LAST_WORDS_LENGTH = 4000;

/** A rank's process that this one has started. */
export interface RankChild {
  readonly child: ChildProcess;
  /** Why it ended, once it has. */
  readonly ended: Promise<string>;
  /** The end of what it has printed. */
  readonly lastWords: () => string;
}

const causeOf = (code: number | null, signal: NodeJS.Signals | null): string => {
  if (signal === 'SIGKILL') return 'it was killed (SIGKILL); the system does that to a process when memory runs out';
  return signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
};

/** The key goes by the environment, which other users cannot read, as they can a command line. */
const environmentFor = (key: RunKey | null): NodeJS.ProcessEnv => {
  const { [KEY_VARIABLE]: _, ...rest } = process.env;
  return key === null ? rest : { ...rest, [KEY_VARIABLE]: key.secret };
};

export const startRankChild = (entry: string, settings: RankSettings, key: RunKey | null): RankChild => {
  const child = spawn(process.execPath, [entry, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'pipe'], env: environmentFor(key) });
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

/** Waits a moment for processes that were told to leave, and ends those that have not. */
export const endRankChildren = async (ranks: readonly RankChild[]): Promise<void> => {
  const allEnded = Promise.all(ranks.map(({ ended }) => ended));
  const patience = new AbortController();
  const tooLate = setTimeout(GRACE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  await Promise.race([allEnded, tooLate]);
  patience.abort();
  for (const { child } of ranks) child.kill('SIGKILL');
  await allEnded;
};
