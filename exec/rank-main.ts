import { rmSync } from 'node:fs';
import { openEngine } from './rank/engine.ts';
import { connectToCoordinator } from './rank/control-port.ts';
import { serveRank } from './rank/serve-rank.ts';
import type { RankSettings } from './rank/settings.ts';
import { openInbox } from './transport/zeromq-transport.ts';

/* Entry of a rank's process. It keeps nothing on disk, so it may be ended at any moment. */

const HEARTBEAT_MS = 1000;

const serve = async ({ rank, control, inbox }: RankSettings): Promise<void> => {
  const { endpoint, join } = await openInbox(inbox);
  const port = connectToCoordinator(rank, control);
  setInterval(() => port.send({ kind: 'alive' }), HEARTBEAT_MS).unref();
  await serveRank(port, {
    endpoint,
    join: (setup) => join(setup.endpoints, setup.rank, setup.run),
    openEngine,
  });
};

/** Ctrl-C reaches every process of a terminal; the coordinator is the one that acts on it. */
process.on('SIGINT', () => undefined);

const settings = JSON.parse(process.argv[2] ?? '') as RankSettings;
try {
  await serve(settings);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  rmSync(settings.runFolder, { recursive: true, force: true });
  process.exit(1);
}
