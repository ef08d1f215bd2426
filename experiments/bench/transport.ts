import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pull, Push } from 'zeromq';
import { formatTable } from '../../core/text-table.ts';
import { drawRunKey } from '../../exec/transport/run-key.ts';
import { openInbox } from '../../exec/transport/zeromq-transport.ts';
import { median } from '../../sim/measured-ops.ts';
import { lineOf, REPLY_EVERY, RUN, TENSOR_BYTES, type PeerSettings } from './transport-line.ts';

/** Tensors between two processes of this machine: our transport beside ZeroMQ as it is, and TCP as iperf3 finds it. */

type Size = PeerSettings['size'];

/** A way to the other process: sends one tensor, and waits for an answer. */
interface Way {
  readonly send: () => Promise<void>;
  readonly answer: () => Promise<unknown>;
  readonly close: () => void;
}

const PEER = fileURLToPath(new URL('./transport-peer.js', import.meta.url));

const startPeer = async (settings: PeerSettings): Promise<{ readonly child: ChildProcess; readonly endpoint: string }> => {
  const child = spawn(process.execPath, [PEER, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [endpoint] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, endpoint };
};

type Route = Pick<PeerSettings, 'raw' | 'address' | 'secret'>;

const openTransportWay = async (route: Route, own: string, size: Size): Promise<Way> => {
  const line = lineOf({ ...route, size, parent: '' });
  const inbox = await openInbox(own, line);
  const { child, endpoint } = await startPeer({ ...route, size, parent: inbox.endpoint });
  const transport = inbox.join({ endpoints: [inbox.endpoint, endpoint], rank: 0, run: RUN });
  const values = new Float32Array(TENSOR_BYTES[size] / 4).fill(1.5);
  let sent = 0;
  let answered = 0;
  return {
    send: () => transport.send(1, { direction: 'forward', stage: 1, microbatch: sent++, shape: [1, values.length], values, sentNs: 0 }),
    answer: () => transport.receive({ direction: 'backward', stage: 0, microbatch: REPLY_EVERY[size] * ++answered - 1 }),
    close: () => {
      child.kill('SIGKILL');
      transport.close();
    },
  };
};

const openRawWay = async (route: Route, own: string, size: Size): Promise<Way> => {
  const pull = new Pull();
  await pull.bind(own);
  const { child, endpoint } = await startPeer({ ...route, size, parent: pull.lastEndpoint! });
  // As few under way as our transport lets be.
  const push = new Push({ sendHighWaterMark: 2 });
  push.connect(endpoint);
  const values = Buffer.alloc(TENSOR_BYTES[size], 3);
  return {
    send: () => push.send(values),
    answer: () => pull.receive(),
    close: () => {
      child.kill('SIGKILL');
      for (const socket of [push, pull]) socket.close();
    },
  };
};

const ROUNDS = 5;
const ROUND_TRIPS = 2000;

/** Bytes per nanosecond, which are GB/s: the best of some streams. */
const measureRate = async (way: Way): Promise<number> => {
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const startNs = process.hrtime.bigint();
    for (let count = 0; count < REPLY_EVERY.large; count++) await way.send();
    await way.answer();
    // The first stream finds cold memory.
    if (round > 0) rates.push((REPLY_EVERY.large * TENSOR_BYTES.large) / Number(process.hrtime.bigint() - startNs));
  }
  return median(rates);
};

const measureRoundTrip = async (way: Way): Promise<readonly [middle: number, late: number]> => {
  const times: number[] = [];
  for (let trip = 0; trip < ROUND_TRIPS; trip++) {
    const startNs = process.hrtime.bigint();
    await way.send();
    await way.answer();
    times.push(Number(process.hrtime.bigint() - startNs) / 1000);
  }
  const sorted = times.slice(ROUND_TRIPS / 10).sort((a, b) => a - b);
  return [median(sorted), sorted[Math.floor(0.99 * sorted.length)]!];
};

const withWay = async <T>(route: Route, folder: string, size: Size, measure: (way: Way) => Promise<T>): Promise<T> => {
  const [own, address] = route.address === 'ipc' ? [`ipc://${folder}/own`, `ipc://${folder}/peer`] : ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0'];
  const open = route.raw ? openRawWay : openTransportWay;
  const way = await open({ ...route, address }, own, size);
  try {
    return await measure(way);
  } finally {
    way.close();
  }
};

const ROUTES: readonly (Route & { readonly name: string })[] = [
  { name: 'ours, ipc (ranks of one machine)', raw: false, address: 'ipc', secret: null },
  { name: 'ZeroMQ alone, ipc', raw: true, address: 'ipc', secret: null },
  { name: 'ours, tcp', raw: false, address: 'tcp', secret: null },
  { name: 'ZeroMQ alone, tcp', raw: true, address: 'tcp', secret: null },
  { name: 'ours, tcp with CURVE (ranks of several machines)', raw: false, address: 'tcp', secret: drawRunKey().secret },
];

/** TCP over the loopback device; null where there is no iperf3. */
const measureIperf = async (): Promise<string | null> => {
  const server = spawn('iperf3', ['--server', '--one-off', '--port', '15201'], { stdio: 'ignore' });
  const failed = once(server, 'error').then(() => true);
  if (await Promise.race([failed, setTimeout(300, false)])) return null;
  const output = execFileSync('iperf3', ['--client', '127.0.0.1', '--port', '15201', '--time', '3', '--json'], { encoding: 'utf8' });
  const { end } = JSON.parse(output) as { readonly end: { readonly sum_received: { readonly bits_per_second: number } } };
  return (end.sum_received.bits_per_second / 8e9).toFixed(2);
};

export const benchTransport = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'mlora-bench-'));
  const rows: string[][] = [];
  for (const { name, ...route } of ROUTES) {
    const rate = await withWay(route, folder, 'large', measureRate);
    const [middle, late] = await withWay(route, folder, 'small', measureRoundTrip);
    rows.push([name, rate.toFixed(2), middle.toFixed(0), late.toFixed(0)]);
  }
  rmSync(folder, { recursive: true });
  rows.push(['TCP by iperf3', (await measureIperf()) ?? 'no iperf3 here', '–', '–']);
  console.log(formatTable([['between two processes', 'GB/s, 16 MB', 'µs there and back, 1 kB', '99 of 100 within'], ...rows]));
  console.log(`Medians of ${ROUNDS} streams of ${REPLY_EVERY.large} tensors and of ${ROUND_TRIPS} round trips. Targets for ranks of one machine: 1 GB/s, 500 µs.`);
};
