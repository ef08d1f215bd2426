import { rmSync } from 'node:fs';
import * as E from 'fp-ts/lib/Either.js';
import { runRank } from './rank/rank-process.ts';
import type { RankSettings } from './rank/settings.ts';
import { KEY_VARIABLE, parseRunKey, type RunKey } from './transport/run-key.ts';

/* Entry of a rank's process. It keeps nothing on disk, so it may be ended at any moment. */

/** Ctrl-C reaches every process of a terminal; the coordinator is the one that acts on it. */
process.on('SIGINT', () => undefined);

/** A scheduler's signal reaches every process of a step; its children are told by it too. */
const ignoreTermination = (): void => void process.on('SIGTERM', () => undefined);

const ownKey = (): RunKey | null => {
  const secret = process.env[KEY_VARIABLE];
  const key = secret === undefined ? E.right(null) : parseRunKey(secret);
  if (E.isLeft(key)) throw new Error(key.left);
  return key.right;
};

const settings = JSON.parse(process.argv[2] ?? '') as RankSettings;
if (settings.runFolder === null) ignoreTermination();
try {
  await runRank(settings, ownKey());
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  if (settings.runFolder !== null) rmSync(settings.runFolder, { recursive: true, force: true });
  process.exit(1);
}
