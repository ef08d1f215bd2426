import * as E from 'fp-ts/lib/Either.js';
import { Dealer } from 'zeromq';
import { decodeControl, encodeControl } from '../transport/control-codec.ts';
import { connecting, HANDSHAKE_ERRORS, type LineOptions } from '../transport/line.ts';
import { createQueue } from '../transport/queue.ts';
import type { ControlPort, FromRank, ToRank } from './messages.ts';

/** A rank's line to its coordinator, as its process holds it. */
export interface ControlLine extends ControlPort {
  /** Closes the line once everything that was sent has been taken over, for up to `lingerMs`. */
  readonly close: (lingerMs: number) => Promise<void>;
}

export interface ControlSettings {
  /** How the rank signs its messages; another one for each process. */
  readonly identity: string;
  readonly address: string;
  readonly line: LineOptions;
  /** How long the coordinator may take to answer at all. */
  readonly patienceSeconds: number;
}

/** Connects a rank process to its coordinator. The line counts as lost as soon as the coordinator's process is gone. */
export const connectToCoordinator = ({ identity, address, line, patienceSeconds }: ControlSettings): ControlLine => {
  const dealer = new Dealer({ routingId: identity, ...connecting(line) });
  const orders = createQueue<ToRank>();
  const lose = (error: unknown): void => orders.fail(error instanceof Error ? error : new Error(String(error)));
  const impatience = setTimeout(lose, 1000 * patienceSeconds, `the coordinator at ${address} has not answered for ${patienceSeconds} s`);
  dealer.events.on('handshake', () => clearTimeout(impatience));
  dealer.events.on('disconnect', () => lose(`the coordinator at ${address} is gone`));
  for (const event of HANDSHAKE_ERRORS) {
    dealer.events.on(event, () => lose(`${address} refuses this rank: it is not the coordinator of a run with this rank's key`));
  }
  const listen = async (): Promise<void> => {
    for await (const parts of dealer) {
      const message = decodeControl(parts);
      if (E.isLeft(message)) throw new Error(message.left);
      orders.push(message.right as ToRank);
    }
  };
  listen().catch(lose);
  dealer.connect(address);
  let sending = Promise.resolve();
  const send = (message: FromRank): void => {
    sending = sending.then(() => dealer.send(encodeControl(message))).catch(lose);
  };
  const close = async (lingerMs: number): Promise<void> => {
    clearTimeout(impatience);
    await sending;
    dealer.linger = lingerMs;
    dealer.close();
  };
  return { send, next: orders.next, close };
};
