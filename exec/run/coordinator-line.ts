import * as E from 'fp-ts/lib/Either.js';
import { Router } from 'zeromq';
import { ExecFailure } from '../exec-error.ts';
import type { FromRank, ToRank } from '../rank/messages.ts';
import { decodeControl, encodeControl } from '../transport/control-codec.ts';
import { listening, type LineOptions } from '../transport/line.ts';

/** A rank's process, by how it signs its messages, and what number it says it is. */
export interface Signature {
  readonly identity: string;
  readonly rank: number;
}

/** The coordinator's end of the lines to all rank processes. */
export interface CoordinatorLine {
  /** Where it listens, with the port it got. */
  readonly address: string;
  readonly send: (identity: string, message: ToRank) => void;
  /** Resolves when everything has been handed to the sockets that is to go out before. */
  readonly flush: () => Promise<void>;
  readonly close: (lingerMs?: number) => void;
}

/** What the line tells its owner. */
export interface LineEvents {
  readonly onMessage: (from: Signature, message: FromRank) => void;
  /** Something that is no message of ours came, or one could not be sent. */
  readonly onFault: (rank: number, reason: string) => void;
}

const IDENTITY = /^rank-(\d{1,6})(\.[0-9a-f]{8})?$/;

const listenTo = async (router: Router, { onMessage }: LineEvents): Promise<void> => {
  for await (const [sender, ...parts] of router) {
    const identity = String(sender);
    const rank = IDENTITY.exec(identity)?.[1];
    const message = decodeControl(parts);
    if (E.isLeft(message)) throw new Error(message.left);
    if (rank === undefined) throw new Error(`a message from ${identity}, which is no rank`);
    onMessage({ identity, rank: Number(rank) }, message.right as FromRank);
  }
};

/** Opens the line at a ZeroMQ address. Rejects with an ExecFailure where nobody can listen there. */
export const openCoordinatorLine = async (address: string, line: LineOptions, events: LineEvents): Promise<CoordinatorLine> => {
  const router = new Router(listening(line));
  try {
    await router.bind(address);
  } catch (error) {
    router.close();
    throw new ExecFailure({ kind: 'cannotListen', address, reason: bindReason(error) });
  }
  listenTo(router, events).catch((error: unknown) => events.onFault(0, String(error)));
  // The socket takes one message at a time.
  let sending = Promise.resolve();
  return {
    address: router.lastEndpoint ?? address,
    send: (identity, message) => {
      sending = sending
        .then(() => router.send([identity, ...encodeControl(message)]))
        .catch((error: unknown) => events.onFault(Number(IDENTITY.exec(identity)?.[1] ?? 0), String(error)));
    },
    flush: () => sending,
    close: (lingerMs = 0) => {
      router.linger = lingerMs;
      router.close();
    },
  };
};

const bindReason = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const isTaken = 'code' in error && error.code === 'EADDRINUSE';
  return isTaken ? 'another program listens there, e.g. another run; choose another port' : error.message;
};
