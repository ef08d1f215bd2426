import * as E from 'fp-ts/lib/Either.js';
import { Dealer } from 'zeromq';
import { decodeControl, encodeControl } from '../transport/control-codec.ts';
import { createQueue } from '../transport/queue.ts';
import type { ControlPort, FromRank, ToRank } from './messages.ts';

const CONNECT_MS = 30_000;

/** Connects a rank process to its coordinator. The line counts as lost as soon as the coordinator's process is gone. */
export const connectToCoordinator = (rank: number, address: string): ControlPort => {
  const dealer = new Dealer({ routingId: `rank-${rank}`, linger: 0 });
  const orders = createQueue<ToRank>();
  const lose = (error: unknown): void => orders.fail(error instanceof Error ? error : new Error(String(error)));
  const impatience = setTimeout(lose, CONNECT_MS, 'the coordinator does not answer');
  dealer.events.on('handshake', () => clearTimeout(impatience));
  dealer.events.on('disconnect', () => lose('the coordinator is gone'));
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
  return { send, next: orders.next };
};
