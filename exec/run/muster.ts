import { setTimeout } from 'node:timers/promises';
import { ExecFailure, formatExecError, type ExecError } from '../exec-error.ts';
import type { FromRank } from '../rank/messages.ts';
import type { LineOptions } from '../transport/line.ts';
import { formatVersion, isSameVersion, ownVersion } from '../version.ts';
import { openCoordinatorLine, type Signature } from './coordinator-line.ts';
import type { Crew } from './crew.ts';
import { openLeg, type MusterLeg } from './muster-leg.ts';
import { PATIENCE_SECONDS } from './process-crew.ts';

/*
 * Ranks that somebody else starts: a cluster's scheduler, on several machines. Each process joins once, at an address that
 * all know, and stays for all legs of the run: between two legs it says hello again, which is where words of the last leg end.
 */

/** The place where the ranks of a run meet. */
export interface Muster {
  /** Where it listens, with the port it got. */
  readonly address: string;
  /** Ranks for one leg: the same processes every time. */
  readonly startCrew: (size: number) => Crew;
  /** Ends the run from outside, e.g. because a process that was to be a rank has died. */
  readonly fail: (error: ExecError) => void;
  /** Lets all ranks go. */
  readonly close: () => Promise<void>;
}

export interface MusterOptions {
  readonly size: number;
  /** ZeroMQ address to listen at; port 0 takes a free one. */
  readonly address: string;
  /** The machine as ranks know it, for messages. */
  readonly host?: string;
  readonly line: LineOptions;
  readonly joinSeconds: number;
  readonly patienceSeconds?: number;
  /** How long ranks get to leave, those included that come late to a run that has failed early. */
  readonly farewellSeconds?: number;
}

type Hello = Extract<FromRank, { kind: 'hello' }>;

/** A rank that has joined. */
interface Seat {
  readonly identity: string;
  /** Its hello for a leg that has not begun. */
  hello: Hello | null;
  /** Told to stop and not back with a hello: what it says belongs to the leg before. */
  stopping: boolean;
  left: boolean;
}

const LINGER_MS = 1000;
const FAREWELL_SECONDS = 3;
/** Longer for ranks that have joined: on a busy machine an op may still run. */
const LATE_MS = 7000;
const TICK_MS = 20;

const otherVersion = ({ rank }: Signature, { version, host }: Hello): ExecError => ({
  kind: 'otherVersion',
  rank,
  host,
  theirs: formatVersion(version),
  ours: formatVersion(ownVersion()),
});

/** Why a process cannot be the rank that it says it is; null where it can. */
const objectionTo = ({ identity, rank }: Signature, size: number, seats: ReadonlyMap<number, Seat>): string | null => {
  if (rank >= size) return `rank ${rank} is none of this run, which has ranks 0 to ${size - 1}`;
  const seat = seats.get(rank);
  if (seat === undefined || seat.identity === identity) return null;
  return `there is a rank ${rank} in this run already: do two runs share the coordinator's address and key?`;
};

/** Opens the place; rejects with an ExecFailure where nobody can listen there. */
export const openMuster = async (options: MusterOptions): Promise<Muster> => {
  const { size, joinSeconds, patienceSeconds = PATIENCE_SECONDS, farewellSeconds = FAREWELL_SECONDS } = options;
  const seats = new Map<number, Seat>();
  let leg: MusterLeg | null = null;
  let failure: ExecFailure | null = null;
  let closing = false;

  const fail = (error: ExecError): void => {
    failure ??= new ExecFailure(error);
    leg?.fail(failure);
  };
  const welcome = (from: Signature, hello: Hello): void => {
    const refuse = (reason: string): void => line.send(from.identity, { kind: 'refused', reason });
    const objection = objectionTo(from, size, seats);
    if (objection !== null) return refuse(objection);
    if (!isSameVersion(hello.version, ownVersion())) {
      const error = otherVersion(from, hello);
      refuse(formatExecError(error));
      return fail(error);
    }
    seats.set(from.rank, { identity: from.identity, hello: leg === null ? hello : null, stopping: closing, left: false });
    if (closing) line.send(from.identity, { kind: 'leave' });
    leg?.enter(from.rank, hello);
  };
  const take = ({ identity, rank }: Signature, message: FromRank): void => {
    const seat = seats.get(rank);
    if (seat?.identity !== identity) return;
    leg?.heard(rank);
    if (message.kind === 'goodbye') seat.left = true;
    else if (message.kind !== 'alive' && !seat.stopping) leg?.report({ rank, message });
  };
  const line = await openCoordinatorLine(options.address, options.line, {
    onMessage: (from, message) => (message.kind === 'hello' ? welcome(from, message) : take(from, message)),
    onFault: (rank, reason) => fail({ kind: 'rankFailed', rank, reason }),
  });
  const knownAddress = options.host === undefined ? line.address : `${options.host}:${line.address.slice(line.address.lastIndexOf(':') + 1)}`;
  const sendAll = async (kind: 'stop' | 'leave'): Promise<void> => {
    for (const seat of seats.values()) {
      seat.stopping = true;
      line.send(seat.identity, { kind });
    }
    await line.flush();
  };
  const startCrew = (legSize: number): Crew => {
    if (legSize !== size) throw new Error(`a leg of ${legSize} ranks for ${size} processes`);
    const present = openLeg({ size, joinSeconds, patienceSeconds, address: knownAddress });
    leg = present;
    if (failure !== null) present.fail(failure);
    for (const [rank, seat] of seats) {
      if (seat.hello !== null) present.enter(rank, seat.hello);
      seat.hello = null;
    }
    return {
      size,
      send: (rank, message) => line.send(seats.get(rank)!.identity, message),
      next: present.next,
      fail: present.fail,
      dismiss: () => {
        present.end();
        leg = null;
        return sendAll('stop');
      },
    };
  };
  const close = async (): Promise<void> => {
    closing = true;
    await sendAll('leave');
    const untilMs = Date.now() + 1000 * farewellSeconds;
    const seated = (): number => [...seats.values()].filter(({ left }) => !left).length;
    const isAwaited = (): boolean => (Date.now() < untilMs ? seated() > 0 || seats.size < size : Date.now() < untilMs + LATE_MS * Math.sign(farewellSeconds) && seated() > 0);
    while (isAwaited()) await setTimeout(TICK_MS);
    line.close(LINGER_MS);
  };
  return { address: line.address, startCrew, fail, close };
};
