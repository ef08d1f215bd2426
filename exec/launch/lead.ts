import { hostname, networkInterfaces } from 'node:os';
import { ExecFailure } from '../exec-error.ts';
import { COORDINATOR_HOST, type RankSettings } from '../rank/settings.ts';
import { openMuster, type Muster } from '../run/muster.ts';
import { endRankChildren, startRankChild } from '../run/rank-child.ts';
import { drawRunKey } from '../transport/run-key.ts';
import type { Launch } from './environment.ts';
import { writeMeeting } from './meeting.ts';

/** What all processes of a run are given on their command lines. */
export interface JoinSettings {
  /** Folder of the run, where a meeting by file takes place. */
  readonly folder: string;
  readonly joinSeconds: number;
  readonly silenceSeconds: number;
}

/** The ranks of a run, led from this process, which also starts rank 0. */
export interface LedRanks {
  readonly muster: Muster;
  readonly close: () => Promise<void>;
}

type Together = Extract<Launch, { kind: 'together' }>;

/** Another name or address for this machine than it would choose itself. */
const ADDRESS_VARIABLE = 'MLORA_ADDRESS';

/** Names and addresses of this machine, the likeliest first. */
const ownHosts = (): readonly string[] => {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outer = addresses.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address);
  const named = [process.env[ADDRESS_VARIABLE], process.env.SLURMD_NODENAME, hostname()].flatMap((name) => name ?? []);
  return [...new Set([...named, ...outer, '127.0.0.1'])];
};

/** The machine that other ranks are told for this process; `ownAddress`: the one it has reached the coordinator from. */
export const announcedHost = (ownAddress: string): string =>
  process.env[ADDRESS_VARIABLE] ?? (ownAddress.startsWith('127.') ? COORDINATOR_HOST : ownAddress);

export const ANY_PORT = 'tcp://*:0';

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** Opens the place where the ranks meet and starts rank 0 beside this process. Rejects with an ExecFailure. */
export const leadRanks = async ({ size, meeting }: Together, settings: JoinSettings, rankEntry: string): Promise<LedRanks> => {
  const { folder, joinSeconds, silenceSeconds } = settings;
  const key = meeting.kind === 'address' ? meeting.key : drawRunKey();
  const address = meeting.kind === 'address' ? `tcp://*:${meeting.port}` : ANY_PORT;
  const hosts = meeting.kind === 'address' ? [meeting.host] : ownHosts();
  const muster = await openMuster({ size, address, host: hosts[0]!, line: { key, silenceSeconds }, joinSeconds });
  const port = portOf(muster.address);
  if (meeting.kind === 'file') {
    await writeMeeting(folder, meeting.name, { state: 'open', hosts: [...hosts], port, secret: key.secret }).catch((error: unknown) => {
      throw new ExecFailure({ kind: 'outputUnwritable', folder, reason: String(error) });
    });
  }
  const ownRank: RankSettings = {
    rank: 0,
    control: `tcp://127.0.0.1:${port}`,
    inbox: ANY_PORT,
    host: announcedHost('127.0.0.1'),
    runFolder: null,
    silenceSeconds,
    joinSeconds,
  };
  const child = startRankChild(rankEntry, ownRank, key);
  void child.ended.then((cause) => muster.fail({ kind: 'rankDied', rank: 0, cause, lastWords: child.lastWords() }));
  return {
    muster,
    close: async () => {
      await muster.close();
      await endRankChildren([child]);
      if (meeting.kind === 'file') await writeMeeting(folder, meeting.name, { state: 'over' }).catch(() => undefined);
    },
  };
};
