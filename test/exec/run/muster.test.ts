import type { DeviceInfo } from '../../../exec/backend/device.ts';
import { createServer, type Server } from 'node:net';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, describe, expect, it } from 'vitest';
import { ExecFailure, formatExecError, type ExecError } from '../../../exec/exec-error.ts';
import { connectToCoordinator, type ControlLine } from '../../../exec/rank/control-port.ts';
import type { FromRank } from '../../../exec/rank/messages.ts';
import { openMuster, type Muster, type MusterOptions } from '../../../exec/run/muster.ts';
import { drawRunKey, type RunKey } from '../../../exec/transport/run-key.ts';
import { ownVersion } from '../../../exec/version.ts';

const KEY = drawRunKey();
const SILENCE_SECONDS = 20;

let open: { readonly close: () => unknown }[] = [];
afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
});

const muster = async (changes: Partial<MusterOptions> = {}): Promise<Muster> => {
  const line = { key: KEY, silenceSeconds: SILENCE_SECONDS };
  const opened = await openMuster({ size: 2, address: 'tcp://127.0.0.1:0', line, joinSeconds: 30, farewellSeconds: 0, ...changes });
  open.push(opened);
  return opened;
};

let connections = 0;
const connect = (rank: number, address: string, key: RunKey | null = KEY): ControlLine => {
  const identity = `rank-${rank}.${String(++connections).padStart(8, '0')}`;
  const line = connectToCoordinator({ identity, address, line: { key, silenceSeconds: SILENCE_SECONDS }, patienceSeconds: 20 });
  open.push({ close: () => line.close(0) });
  return line;
};

const hello = (changes: Partial<Extract<FromRank, { kind: 'hello' }>> = {}): FromRank => ({
  kind: 'hello',
  endpoint: 'tcp://127.0.0.1:1',
  processId: 1,
  host: 'here',
  version: ownVersion(),
  ...changes,
});

const failureOf = async (promise: Promise<unknown>): Promise<ExecError> => {
  const result = await promise.then(E.right, E.left);
  if (E.isLeft(result) && result.left instanceof ExecFailure) return result.left.error;
  throw new Error(`expected a failure: ${JSON.stringify(result)}`);
};

const DEVICE: DeviceInfo = { kind: 'cpu', name: 'CPU', id: null, memoryBytes: null, freeBytes: null, maximumTensorBytes: null, details: {} };

describe('a muster of ranks', () => {
  it('hears the ranks of one leg after the other, and nothing of a leg before', async () => {
    const { address, startCrew } = await muster({ size: 1 });
    const rank = connect(0, address);
    rank.send(hello());
    const first = startCrew(1);
    expect((await first.next()).message.kind).toBe('hello');
    await first.dismiss();
    expect(await rank.next()).toEqual({ kind: 'stop' });
    rank.send({ kind: 'ping' });
    rank.send(hello());
    const second = startCrew(1);
    expect((await second.next()).message.kind).toBe('hello');
    rank.send({ kind: 'ready', backend: 'cpu', device: DEVICE, rejected: [] });
    expect((await second.next()).message.kind).toBe('ready');
    await second.dismiss();
  });

  it('names the ranks that have not joined in time', async () => {
    const { address, startCrew } = await muster({ size: 4, joinSeconds: 0.5, host: 'head' });
    connect(2, address).send(hello());
    const crew = startCrew(4);
    expect((await crew.next()).rank).toBe(2);
    const error = await failureOf(crew.next());
    expect(error).toMatchObject({ kind: 'ranksMissing', missing: [0, 1, 3], size: 4, seconds: 0.5 });
    expect(formatExecError(error)).toMatch(/^ranks 0, 1, 3 of 4 did not join within 0\.5 s\. They are expected at head:\d+: /);
    await crew.dismiss();
  });

  it('ends with both versions when a rank runs another one, which is told too', async () => {
    const { address, startCrew } = await muster();
    const rank = connect(1, address);
    rank.send(hello({ host: 'node7', version: { number: '0.0.9', build: null } }));
    const crew = startCrew(2);
    expect(formatExecError(await failureOf(crew.next()))).toBe(
      `rank 1 on node7 runs mlora 0.0.9, its coordinator ${ownVersion().number}: all machines need the same one`,
    );
    expect(await rank.next()).toMatchObject({ kind: 'refused', reason: expect.stringContaining('rank 1 on node7 runs mlora 0.0.9') as unknown });
    await crew.dismiss();
  });

  it('refuses a second rank of the same number, and one beyond its size, and goes on', async () => {
    const { address, startCrew } = await muster();
    const [rank, twin, stranger] = [connect(1, address), connect(1, address), connect(5, address)];
    rank.send(hello());
    const crew = startCrew(2);
    expect((await crew.next()).rank).toBe(1);
    twin.send(hello());
    stranger.send(hello());
    expect(await twin.next()).toEqual({ kind: 'refused', reason: expect.stringContaining('there is a rank 1 in this run already') as unknown });
    expect(await stranger.next()).toEqual({ kind: 'refused', reason: 'rank 5 is none of this run, which has ranks 0 to 1' });
    rank.send({ kind: 'ready', backend: 'cpu', device: DEVICE, rejected: [] });
    expect((await crew.next()).message.kind).toBe('ready');
    await crew.dismiss();
  });

  it.each([
    ['another key', drawRunKey()],
    ['no key', null],
  ])('does not hear a rank with %s, which says so', async (_, key) => {
    const { address } = await muster();
    const rank = connect(1, address, key);
    rank.send(hello());
    await expect(rank.next()).rejects.toThrow(`${address} refuses this rank: it is not the coordinator of a run with this rank's key`);
  });

  it('cannot be opened at a port that another run has', async () => {
    const { address } = await muster();
    expect(formatExecError(await failureOf(muster({ address })))).toBe(
      `ranks cannot meet at ${address}: another program listens there, e.g. another run; choose another port`,
    );
  });
});

describe('a rank', () => {
  const listen = (): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((socket) => socket.on('error', () => undefined).end('220 mail ready\r\n'));
      server.listen(0, '127.0.0.1', () => resolve(server));
    });

  it('that meets another program where the coordinator should be says so', async () => {
    const server = await listen();
    open.push(server);
    const { port } = server.address() as { readonly port: number };
    await expect(connect(1, `tcp://127.0.0.1:${port}`).next()).rejects.toThrow(/refuses this rank|is gone/);
  });

  it('says that the coordinator has not answered, and for how long', async () => {
    const line = { key: KEY, silenceSeconds: SILENCE_SECONDS };
    const rank = connectToCoordinator({ identity: 'rank-1', address: 'tcp://127.0.0.1:9', line, patienceSeconds: 0.3 });
    open.push({ close: () => rank.close(0) });
    await expect(rank.next()).rejects.toThrow('the coordinator at tcp://127.0.0.1:9 has not answered for 0.3 s');
  });
});
