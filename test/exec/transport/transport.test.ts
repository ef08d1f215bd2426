import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Push } from 'zeromq';
import { encodeFrame } from '../../../exec/transport/frame.ts';
import { createMailbox } from '../../../exec/transport/mailbox.ts';
import { createMemoryTransports } from '../../../exec/transport/memory-transport.ts';
import type { TensorFrame, Transport } from '../../../exec/transport/transport.ts';
import { openInbox, type Inbox } from '../../../exec/transport/zeromq-transport.ts';

const RUN = 77;

const frame = (microbatch: number, size = 3, direction: TensorFrame['direction'] = 'forward'): TensorFrame => ({
  direction,
  stage: 1,
  microbatch,
  shape: [1, size],
  values: Float32Array.from({ length: size }, (_, i) => microbatch + i / 8),
  sentNs: 1000 + microbatch,
});

const keyOf = ({ direction, stage, microbatch }: TensorFrame) => ({ direction, stage, microbatch });

let folder = '';
let inboxes: readonly Inbox[] = [];
let open: Transport[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterEach(async () => {
  for (const transport of open) transport.close();
  open = [];
  await rm(folder, { recursive: true });
});

const openZeromq = async (address: (rank: number) => string, count: number): Promise<readonly Transport[]> => {
  inboxes = await Promise.all(Array.from({ length: count }, (_, rank) => openInbox(address(rank))));
  const endpoints = inboxes.map(({ endpoint }) => endpoint);
  open = inboxes.map((inbox, rank) => inbox.join({ endpoints, rank, run: RUN }));
  return open;
};

const kinds: Record<string, (count: number) => Promise<readonly Transport[]>> = {
  'in memory': (count) => Promise.resolve((open = [...createMemoryTransports(count)])),
  'over ipc': (count) => openZeromq((rank) => `ipc://${folder}/${rank}`, count),
  'over tcp': (count) => openZeromq(() => 'tcp://127.0.0.1:0', count),
};

describe.each(Object.entries(kinds))('a transport %s', (_, openTransports) => {
  it('gives each frame to whoever asks for it by name, before or after it arrives', async () => {
    const [a, b, c] = await openTransports(3);
    const sent = [frame(0), frame(1, 3, 'backward'), frame(1), frame(2)];
    const early = b!.receive(keyOf(sent[1]!));
    const sending = Promise.all(sent.map((one) => a!.send(1, one)));
    await c!.send(1, { ...frame(9), stage: 2 });
    expect(await early).toEqual(sent[1]);
    expect(await b!.receive({ direction: 'forward', stage: 2, microbatch: 9 })).toEqual({ ...frame(9), stage: 2 });
    for (const one of [sent[0]!, sent[2]!, sent[3]!]) expect(await b!.receive(keyOf(one))).toEqual(one);
    await sending;
  });

  it('takes frames both ways between the same two ranks', async () => {
    const [a, b] = await openTransports(2);
    await Promise.all([a!.send(1, frame(0, 1 << 14)), b!.send(0, frame(0, 1 << 14, 'backward'))]);
    const [there, back] = await Promise.all([b!.receive(keyOf(frame(0))), a!.receive(keyOf(frame(0, 1, 'backward')))]);
    expect(there.values).toEqual(frame(0, 1 << 14).values);
    expect(back.values).toEqual(frame(0, 1 << 14).values);
  });

  it('gives the shares of a norm to whoever asks for them, apart from tensors', async () => {
    const [a, b] = await openTransports(2);
    const share = { direction: 'norm', stage: 0, adapter: 3, iteration: 7, squaredNorm: Math.PI, sentNs: 5 } as const;
    await a!.send(1, { ...share, iteration: 8 });
    await a!.send(1, frame(3));
    await a!.send(1, share);
    const { squaredNorm: _, sentNs: __, ...key } = share;
    expect(await b!.receiveNorm(key)).toEqual(share);
    expect(await b!.receive(keyOf(frame(3)))).toEqual(frame(3));
  });

  it('rejects who still waits when it is closed', async () => {
    const [a] = await openTransports(1);
    const waiting = expect(a!.receive(keyOf(frame(5)))).rejects.toThrow('the transport was closed');
    a!.close();
    await waiting;
  });
});

describe('a ZeroMQ transport', () => {
  it('lets a sender go two tensors of a channel ahead of its receiver, and no further', async () => {
    const [a, b] = await openZeromq((rank) => `ipc://${folder}/${rank}`, 2);
    const gone: number[] = [];
    const sending = [0, 1, 2, 3].map((microbatch) => a!.send(1, frame(microbatch)).then(() => gone.push(microbatch)));
    await a!.send(1, frame(0, 3, 'backward'));
    await b!.receive(keyOf(frame(0, 3, 'backward')));
    expect(gone).toEqual([0, 1]);
    await b!.receive(keyOf(frame(0)));
    await sending[2];
    expect(gone).toEqual([0, 1, 2]);
    for (const microbatch of [1, 2, 3]) await b!.receive(keyOf(frame(microbatch)));
    await Promise.all(sending);
  });

  it('whose sender waits for its receiver fails it when the receiver goes', async () => {
    const [a, b] = await openZeromq(() => 'tcp://127.0.0.1:0', 2);
    const [, , third] = [0, 1, 2].map((microbatch) => a!.send(1, frame(microbatch)));
    await b!.receive(keyOf(frame(0)));
    await third;
    const fourth = expect(a!.send(1, frame(3))).rejects.toThrow('rank 0 has lost its connection');
    b!.close();
    await fourth;
  });

  const receiveForeign = async (parts: readonly Uint8Array[][]): Promise<TensorFrame> => {
    const [transport] = await openZeromq(() => 'tcp://127.0.0.1:0', 1);
    const push = new Push({ linger: 0 });
    push.connect(inboxes[0]!.endpoint);
    for (const message of parts) await push.send(message);
    return transport!.receive({ direction: 'forward', stage: 1, microbatch: 99 }).finally(() => push.close());
  };
  const message = (run: number, sequence: number): Uint8Array[] => [...encodeFrame(frame(sequence), { run, sender: 3, sequence })];

  it('fails with the reason on what is no frame', async () => {
    await expect(receiveForeign([[new Uint8Array(50), new Uint8Array(4)]])).rejects.toThrow('transport: not a frame of ours');
  });

  it('fails on a frame of another run', async () => {
    await expect(receiveForeign([message(RUN + 1, 0)])).rejects.toThrow('a frame of run 78, this is run 77');
  });

  it('fails when a frame is lost or repeated', async () => {
    await expect(receiveForeign([message(RUN, 0), message(RUN, 2)])).rejects.toThrow(
      'forward frames from rank 3 for stage 1: number 2 came where 1 was due',
    );
  });
});

describe('a mailbox', () => {
  it('refuses a second value and a second taker of a name', async () => {
    const mailbox = createMailbox<number>();
    mailbox.put('a', 1);
    expect(() => mailbox.put('a', 2)).toThrow('a is there twice');
    void mailbox.take('b');
    await expect(mailbox.take('b')).rejects.toThrow('b is awaited twice');
    expect(mailbox.drain()).toEqual([1]);
  });
});
