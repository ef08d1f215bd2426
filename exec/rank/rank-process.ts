import { randomBytes } from 'node:crypto';
import type { RunKey } from '../transport/run-key.ts';
import type { LineOptions } from '../transport/line.ts';
import { openInbox, type Inbox } from '../transport/zeromq-transport.ts';
import { openEngine } from './engine.ts';
import { connectToCoordinator } from './control-port.ts';
import { serveRank, type RankHost } from './serve-rank.ts';
import { COORDINATOR_HOST, type RankSettings } from './settings.ts';

const ALIVE_MS = 1000;
const LINGER_MS = 1000;

const hostOf = (address: string): string => new URL(address.replace(/^tcp/, 'http')).hostname;
const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);

/** The address that the others are told. */
export const announcedEndpoint = (endpoint: string, host: string | null): string =>
  host === null ? endpoint : `tcp://${host}:${portOf(endpoint)}`;

/** The address that stands for the coordinator's machine, as this rank has reached it. */
export const resolveEndpoint = (endpoint: string, control: string): string =>
  endpoint.startsWith(`tcp://${COORDINATOR_HOST}:`) ? `tcp://${hostOf(control)}:${portOf(endpoint)}` : endpoint;

const hostFor = ({ endpoint, join }: Inbox, { host, control }: RankSettings): RankHost => ({
  endpoint: announcedEndpoint(endpoint, host),
  join: ({ endpoints, rank, run }) => join({ endpoints: endpoints.map((each) => resolveEndpoint(each, control)), rank, run }),
  openEngine,
});

/** A rank's whole life in this process: conversations with the coordinator, one per leg of the run, until it says leave. */
export const runRank = async (settings: RankSettings, key: RunKey | null): Promise<void> => {
  const line: LineOptions = { key, silenceSeconds: settings.silenceSeconds };
  const port = connectToCoordinator({
    identity: `rank-${settings.rank}.${randomBytes(4).toString('hex')}`,
    address: settings.control,
    line,
    patienceSeconds: settings.joinSeconds,
  });
  const sign = setInterval(() => port.send({ kind: 'alive' }), ALIVE_MS).unref();
  for (;;) {
    const inbox = await openInbox(settings.inbox, line);
    const ended = await serveRank(port, hostFor(inbox, settings));
    inbox.close();
    if (ended === 'leave') break;
  }
  clearInterval(sign);
  port.send({ kind: 'goodbye' });
  await port.close(LINGER_MS);
};
