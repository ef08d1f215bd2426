import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { parseRunKey, type RunKey } from '../transport/run-key.ts';
import type { MeetingPlace } from './environment.ts';

/*
 * How ranks find the coordinator. Either all know its address and hold the key, or it writes both into a file that only
 * its user can read. The file stays behind without the key, so that a rank that comes late learns that it is late.
 */

const FOLDER = '.meetings';
const POLL_MS = 100;
const PROBE_MS = 2000;

const fileSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('open'), hosts: z.array(z.string()).min(1), port: z.number().int(), secret: z.string() }),
  z.object({ state: z.literal('over') }),
]);
type MeetingFile = z.output<typeof fileSchema>;

export const meetingFile = (folder: string, name: string): string => join(folder, FOLDER, `${name}.json`);

/** Writes the file whole or not at all, for this user only. */
export const writeMeeting = async (folder: string, name: string, content: MeetingFile): Promise<void> => {
  await mkdir(join(folder, FOLDER), { recursive: true, mode: 0o700 });
  const path = meetingFile(folder, name);
  await writeFile(`${path}.partial`, JSON.stringify(content), { mode: 0o600, flush: true });
  await rename(`${path}.partial`, path);
};

const readMeeting = async (path: string): Promise<MeetingFile | null> => {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : fileSchema.parse(JSON.parse(text));
};

/** A way to the coordinator that works. */
export interface Way {
  readonly key: RunKey;
  /** ZeroMQ address of the coordinator. */
  readonly control: string;
  /** Address of this machine on that way. */
  readonly ownAddress: string;
}

/** Connects once: whether somebody listens there, and over which of this machine's addresses. */
const probe = (host: string, port: number): Promise<{ readonly remote: string; readonly own: string } | null> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, family: 4, timeout: PROBE_MS });
    const end = (found: { readonly remote: string; readonly own: string } | null): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => end({ remote: socket.remoteAddress!, own: socket.localAddress! }));
    socket.once('timeout', () => end(null));
    socket.once('error', () => end(null));
  });

interface Meeting {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly key: RunKey;
}

const wayTo = async ({ hosts, port, key }: Meeting): Promise<Way | null> => {
  for (const host of hosts) {
    const found = await probe(host, port);
    if (found !== null) return { key, control: `tcp://${found.remote}:${port}`, ownAddress: found.own };
  }
  return null;
};

/** What is known of the meeting now; null: nothing yet. Left: it will not take place. */
const lookUp = async (place: MeetingPlace, folder: string): Promise<E.Either<string, Meeting | null>> => {
  if (place.kind === 'address') return E.right({ hosts: [place.host], port: place.port, key: place.key });
  const file = await readMeeting(meetingFile(folder, place.name));
  if (file === null) return E.right(null);
  if (file.state === 'over') return E.left('the run was over before this rank joined it; its coordinator, rank 0, says why');
  return E.map((key: RunKey) => ({ hosts: file.hosts, port: file.port, key }))(parseRunKey(file.secret));
};

/** Where ranks look, in words. */
const placeText = (place: MeetingPlace, folder: string): string =>
  place.kind === 'address' ? `at ${place.host}:${place.port}` : `by the file ${meetingFile(folder, place.name)}`;

/** Waits for the coordinator to be there. Left: why this rank cannot join it. */
export const findCoordinator = async (place: MeetingPlace, folder: string, joinSeconds: number): Promise<E.Either<string, Way>> => {
  const untilMs = Date.now() + 1000 * joinSeconds;
  while (Date.now() < untilMs) {
    const meeting = await lookUp(place, folder);
    if (E.isLeft(meeting)) return meeting;
    const way = meeting.right === null ? null : await wayTo(meeting.right);
    if (way !== null) return E.right(way);
    await setTimeout(POLL_MS);
  }
  return E.left(`no coordinator was found ${placeText(place, folder)} within ${joinSeconds} s: is rank 0 running, and is that folder or address the same on all machines?`);
};
