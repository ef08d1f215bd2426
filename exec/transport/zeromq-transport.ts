import * as E from 'fp-ts/lib/Either.js';
import { Pull, Push } from 'zeromq';
import { ExecFailure } from '../exec-error.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { createFrameInbox } from './frame-inbox.ts';
import type { Frame, Transport } from './transport.ts';

/** A rank's open mailbox: other ranks can connect to `endpoint` before this one knows them. */
export interface Inbox {
  readonly endpoint: string;
  /** Connects to the other ranks' endpoints, by rank; `run` is the number that all ranks of this run share. */
  readonly join: (endpoints: readonly string[], rank: number, run: number) => Transport;
  readonly close: () => void;
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

/** Left: why the message is no frame of this run in its right place. */
const acceptFrame = (parts: readonly Uint8Array[], run: number, nextSequence: Count): E.Either<string, Frame> => {
  const decoded = decodeFrame(parts);
  if (E.isLeft(decoded)) return decoded;
  const { frame, origin } = decoded.right;
  if (origin.run !== run) return E.left(`a frame of run ${origin.run}, this is run ${run}`);
  const channel = channelOf(origin.sender, frame);
  const expected = nextSequence(channel);
  return origin.sequence === expected
    ? E.right(frame)
    : E.left(`${channel}: number ${origin.sequence} came where ${expected} was due`);
};

/** A line that says nothing for so long is lost: a cable that was cut says nothing itself. Its own thread answers, whatever the rank computes. */
const HEARTBEAT = { heartbeatInterval: 5_000, heartbeatTimeout: 20_000 };

const connectPush = (endpoint: string, onLost: () => void): Push => {
  const push = new Push({ linger: 0, ...HEARTBEAT });
  push.events.on('disconnect', onLost);
  push.connect(endpoint);
  return push;
};

const createTransport = (pull: Pull, endpoints: readonly string[], rank: number, run: number): Transport => {
  const arrived = createFrameInbox();
  // A line that comes back would have lost what was on it, so that its loss ends the run.
  const lose = (peer: number | null): void => arrived.fail(new ExecFailure({ kind: 'connectionLost', rank, peer }));
  const outboxes = new Map(
    endpoints.flatMap((endpoint, peer) => (peer === rank ? [] : [[peer, connectPush(endpoint, () => lose(peer))]])),
  );
  pull.events.on('disconnect', () => lose(null));
  const sequenceOf = countPerChannel();
  const nextSequence = countPerChannel();
  const listen = async (): Promise<void> => {
    for await (const parts of pull) {
      const frame = acceptFrame(parts, run, nextSequence);
      if (E.isLeft(frame)) throw new Error(`transport: ${frame.left}`);
      arrived.put(frame.right);
    }
    throw new Error('the transport was closed');
  };
  listen().catch((error: unknown) => arrived.fail(error instanceof Error ? error : new Error(String(error))));
  return {
    send: (to, frame) => {
      const sequence = sequenceOf(channelOf(to, frame));
      return outboxes.get(to)!.send([...encodeFrame(frame, { run, sender: rank, sequence })]);
    },
    receive: arrived.receive,
    receiveNorm: arrived.receiveNorm,
    close: () => {
      pull.close();
      for (const push of outboxes.values()) push.close();
    },
  };
};

/** Opens a rank's mailbox at a ZeroMQ address; `tcp://127.0.0.1:0` takes a free port, `endpoint` says which. */
export const openInbox = async (address: string): Promise<Inbox> => {
  const pull = new Pull({ linger: 0 });
  await pull.bind(address);
  return {
    endpoint: pull.lastEndpoint ?? address,
    join: (endpoints, rank, run) => createTransport(pull, endpoints, rank, run),
    close: () => pull.close(),
  };
};
