import * as E from 'fp-ts/lib/Either.js';
import { Pull, Push } from 'zeromq';
import { ExecFailure } from '../exec-error.ts';
import { createCredits } from './credits.ts';
import { decodeFrame, encodeFrame, type FrameOrigin } from './frame.ts';
import { createFrameInbox } from './frame-inbox.ts';
import { connecting, HANDSHAKE_ERRORS, listening, LOCAL_LINE, type LineOptions } from './line.ts';
import type { Frame, TensorFrame, Transport } from './transport.ts';

/** A rank's open mailbox: other ranks can connect to `endpoint` before this one knows them. */
export interface Inbox {
  readonly endpoint: string;
  /** Connects to the other ranks. */
  readonly join: (neighbourhood: Neighbourhood) => Transport;
  readonly close: () => void;
}

/** A frame of this run with where it comes from. */
interface Arrival {
  readonly frame: Frame;
  readonly origin: FrameOrigin;
}

type Count = (channel: string) => number;

const countPerChannel = (): Count => {
  const counts = new Map<string, number>();
  return (channel) => {
    const count = counts.get(channel) ?? 0;
    counts.set(channel, count + 1);
    return count;
  };
};

const channelOf = (peer: number, { direction, stage }: Pick<Frame, 'direction' | 'stage'>): string =>
  `${direction} frames from rank ${peer} for stage ${stage}`;

/** Tensors in one direction into one stage: they come from one rank, in order. */
const channelName = (direction: TensorFrame['direction'], stage: number): string => `${direction}:${stage}`;

/** Left: why the message is no frame of this run in its right place. */
const acceptFrame = (parts: readonly Uint8Array[], run: number, nextSequence: Count): E.Either<string, Arrival> => {
  const decoded = decodeFrame(parts);
  if (E.isLeft(decoded)) return decoded;
  const { frame, origin } = decoded.right;
  if (origin.run !== run) return E.left(`a frame of run ${origin.run}, this is run ${run}`);
  const channel = channelOf(origin.sender, frame);
  const expected = nextSequence(channel);
  return origin.sequence === expected
    ? decoded
    : E.left(`${channel}: number ${origin.sequence} came where ${expected} was due`);
};

const connectPush = (endpoint: string, line: LineOptions, onLost: (refused: boolean) => void): Push => {
  const push = new Push(connecting(line));
  push.events.on('disconnect', () => onLost(false));
  for (const event of HANDSHAKE_ERRORS) push.events.on(event, () => onLost(true));
  push.connect(endpoint);
  return push;
};

/** A line to another rank, which takes one message at a time. */
interface Outbox {
  readonly send: (parts: Uint8Array[]) => Promise<void>;
  readonly close: () => void;
}

const createOutbox = (push: Push): Outbox => {
  let last = Promise.resolve();
  return {
    send: (parts) => {
      const sent = last.then(() => push.send(parts));
      last = sent.catch(() => undefined);
      return sent;
    },
    close: () => push.close(),
  };
};

/** Where ranks meet in one run. */
export interface Neighbourhood {
  /** Of all ranks, by rank. */
  readonly endpoints: readonly string[];
  readonly rank: number;
  /** Number that all ranks of this run share. */
  readonly run: number;
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

const createTransport = (pull: Pull, line: LineOptions, { endpoints, rank, run }: Neighbourhood): Transport => {
  const arrived = createFrameInbox();
  const credits = createCredits();
  const fail = (error: Error): void => {
    arrived.fail(error);
    credits.fail(error);
  };
  // A line that comes back would have lost what was on it, so that its loss ends the run.
  const lose = (peer: number | null): void => fail(new ExecFailure({ kind: 'connectionLost', rank, peer }));
  const refuse = (peer: number): void => fail(new Error(`the mailbox of rank ${peer} at ${endpoints[peer]} refuses the key of this run`));
  const outboxes = new Map(
    endpoints.flatMap((endpoint, peer) =>
      peer === rank ? [] : [[peer, createOutbox(connectPush(endpoint, line, (refused) => (refused ? refuse(peer) : lose(peer))))]],
    ),
  );
  pull.events.on('disconnect', () => lose(null));
  const sequenceOf = countPerChannel();
  const nextSequence = countPerChannel();
  const takenOf = countPerChannel();
  const encode = (to: number, frame: Frame): Uint8Array[] => {
    const sequence = sequenceOf(channelOf(to, frame));
    return [...encodeFrame(frame, { run, sender: rank, sequence })];
  };
  const senders = new Map<string, number>();
  const deliver = ({ frame, origin }: Arrival): void => {
    if (frame.direction === 'credit') return credits.grant(channelName(frame.of, frame.stage), frame.taken);
    if (frame.direction !== 'norm') senders.set(channelName(frame.direction, frame.stage), origin.sender);
    arrived.put(frame);
  };
  const listen = async (): Promise<void> => {
    for await (const parts of pull) {
      const arrival = acceptFrame(parts, run, nextSequence);
      if (E.isLeft(arrival)) throw new Error(`transport: ${arrival.left}`);
      deliver(arrival.right);
    }
    throw new Error('the transport was closed');
  };
  listen().catch((error: unknown) => fail(asError(error)));
  const acknowledge = ({ direction, stage, sentNs }: TensorFrame): void => {
    const channel = channelName(direction, stage);
    const taken = takenOf(channel) + 1;
    const sender = senders.get(channel)!;
    const parts = encode(sender, { direction: 'credit', of: direction, stage, taken, sentNs });
    outboxes.get(sender)!.send(parts).catch((error: unknown) => fail(asError(error)));
  };
  return {
    send: async (to, frame) => {
      // The checksum is made while the frame waits for its turn.
      const parts = encode(to, frame);
      if (frame.direction !== 'norm') await credits.spend(channelName(frame.direction, frame.stage));
      await outboxes.get(to)!.send(parts);
    },
    receive: async (key) => {
      const frame = await arrived.receive(key);
      acknowledge(frame);
      return frame;
    },
    receiveNorm: arrived.receiveNorm,
    close: () => {
      pull.close();
      for (const outbox of outboxes.values()) outbox.close();
    },
  };
};

/** Opens a rank's mailbox at a ZeroMQ address; `tcp://127.0.0.1:0` takes a free port, `endpoint` says which. */
export const openInbox = async (address: string, line: LineOptions = LOCAL_LINE): Promise<Inbox> => {
  const pull = new Pull(listening(line));
  await pull.bind(address);
  return {
    endpoint: pull.lastEndpoint ?? address,
    join: (neighbourhood) => createTransport(pull, line, neighbourhood),
    close: () => pull.close(),
  };
};
