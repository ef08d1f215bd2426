import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { stringify } from 'yaml';
import type { ServedJob } from '../../core/served-job.ts';
import { formatTable } from '../../core/text-table.ts';
import { readTokenizer } from '../../exec/data/tokenizer.ts';
import { PACKAGE_ROOT } from '../package-root.ts';

/*
 * A server that trains while it is asked: short windows without and with 100 requests a second take turns in one run, so
 * that both see the same machine. All rows are alike, so an iteration is always as many tokens, and small, so that a window
 * holds many. Client and server share the machine with the two ranks.
 */

const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const MODEL = join(PACKAGE_ROOT, 'experiments/demo/model');

const PAIRS = 18;
const WINDOW_MS = 4000;
const PER_SECOND = 100;
const LINES = 4;
const JOBS = 4;
const BATCH = 2;
const ROW = { q: 'Which number is seven plus six, and which one is nine minus two?', a: 'Seven plus six is 13, nine minus two is 7.' };

const describeJob = (index: number) => ({
  name: `job-${index}`,
  adapter: { rank: 8 },
  batchSize: BATCH,
  iterations: 1_000_000,
  seed: index,
  data: { rows: Array.from({ length: 64 }, () => ROW), prompt: '{{ q }}\n', completion: '{{ a }}' },
});

interface BenchServer {
  readonly child: ChildProcess;
  readonly url: URL;
  readonly token: string;
}

const startServer = async (folder: string): Promise<BenchServer> => {
  const file = join(folder, 'server.yaml');
  writeFileSync(file, stringify({ name: 'bench', model: MODEL, cluster: '2xcpu' }));
  const child = spawn(process.execPath, [CLI, 'serve', file, '--state', join(folder, 'state'), '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())));
  const url = new URL(line);
  return { child, url, token: new URLSearchParams(url.hash.slice(1)).get('token')! };
};

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

/** The body of an answer, whatever it is. */
const ask = ({ url, token }: BenchServer, method: string, path: string, body?: unknown): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, agent, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => (response.statusCode! < 300 ? resolve(text) : reject(new Error(text))));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });

const iterationsOf = async (server: BenchServer): Promise<number> => {
  const { jobs } = JSON.parse(await ask(server, 'GET', '/v1/jobs')) as { readonly jobs: readonly ServedJob[] };
  return jobs.reduce((sum, { iteration }) => sum + iteration, 0);
};

interface Measured {
  /** Iterations a second by pair. */
  readonly undisturbed: number[];
  readonly asked: number[];
  /** Milliseconds of each request. */
  readonly latencies: number[];
  /** What the server's process took more while it was asked. */
  cpuMs: number;
}

/** Milliseconds of processor time that a process has had, without its ranks; Linux counts them in hundredths of a second. */
const processorMs = ({ child }: BenchServer): number => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
};

/** Iterations a second of all jobs over a window; meanwhile `during` happens. */
const measure = async (server: BenchServer, during: () => Promise<void>): Promise<number> => {
  const [before, start] = [await iterationsOf(server), performance.now()];
  await during();
  return ((await iterationsOf(server)) - before) / ((performance.now() - start) / 1000);
};

/** A connection that sends the same requests again and again: next to nothing of the client's is measured. */
interface LeanLine {
  readonly ask: (request: Buffer) => Promise<void>;
  readonly end: () => void;
}

const openLine = async ({ url }: BenchServer): Promise<LeanLine> => {
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  await once(socket, 'connect');
  const waiting: (() => void)[] = [];
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    for (;;) {
      const head = text.indexOf('\r\n\r\n');
      const length = head < 0 ? null : /^content-length: (\d+)/im.exec(text.slice(0, head));
      if (length === null || text.length < head + 4 + Number(length[1])) return;
      if (!text.startsWith('HTTP/1.1 200')) throw new Error(text);
      text = text.slice(head + 4 + Number(length[1]));
      waiting.shift()!();
    }
  });
  return {
    ask: (request) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        socket.write(request);
      }),
    end: () => socket.destroy(),
  };
};

const requestOf = ({ url, token }: BenchServer, path: string): Buffer => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);

/** Asks on time, whether or not the last answer is there: a slow answer delays no question, and counts in full. */
const bother = async (server: BenchServer, latencies: number[]): Promise<void> => {
  const requests = ['/v1/status', ...Array.from({ length: JOBS }, (_, index) => `/v1/jobs/${1 + index}`)].map((path) => requestOf(server, path));
  const lines = await Promise.all(Array.from({ length: LINES }, () => openLine(server)));
  const start = performance.now();
  const answers: Promise<void>[] = [];
  for (let asked = 0; asked < (WINDOW_MS / 1000) * PER_SECOND; asked++) {
    const due = start + (asked * 1000) / PER_SECOND;
    await setTimeout(Math.max(0, due - performance.now()));
    answers.push(lines[asked % LINES]!.ask(requests[asked % requests.length]!).then(() => void latencies.push(performance.now() - due)));
  }
  await Promise.all(answers);
  for (const line of lines) line.end();
};

const tokensOfRow = async (): Promise<number> => {
  const codec = await readTokenizer(MODEL);
  if (E.isLeft(codec)) throw new Error('the demo model has a tokenizer');
  const { begin, encode } = codec.right;
  return encode(`${ROW.q}\n${ROW.a}`).length + 1 + (begin === null ? 0 : 1);
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const quantile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;

const print = ({ undisturbed, asked, latencies, cpuMs }: Measured, tokens: number): void => {
  const rate = (values: readonly number[]): string => (mean(values) * tokens).toFixed(0);
  const losses = undisturbed.map((each, pair) => 100 * (1 - asked[pair]! / each));
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(losses, share).toFixed(1));
  console.log(`${JOBS} jobs on the demo model over two ranks, ${PAIRS} windows of ${WINDOW_MS / 1000} s each, in turn`);
  console.log(
    formatTable([
      ['', 'tokens/s'],
      ['nobody asks', rate(undisturbed)],
      [`${PER_SECOND} status requests a second`, rate(asked)],
    ]),
  );
  console.log(
    formatTable([
      ['', 'measured', 'target'],
      ['tokens/s lost: median of pairs', `${middle} %`, '5 %'],
      ['half of the pairs', `${low} to ${high} %`, ''],
      ["server's processor time a request", `${(cpuMs / latencies.length).toFixed(2)} ms`, ''],
      ['latency, median', `${quantile(latencies, 0.5).toFixed(1)} ms`, ''],
      ['latency, p99', `${quantile(latencies, 0.99).toFixed(1)} ms`, '50 ms'],
      ['requests', String(latencies.length), ''],
    ]),
  );
};

export const benchServe = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'mlora-bench-'));
  const server = await startServer(folder);
  try {
    for (let index = 0; index < JOBS; index++) await ask(server, 'POST', '/v1/jobs', describeJob(index));
    while ((await iterationsOf(server)) < 20 * JOBS) await setTimeout(200);
    const measured: Measured = { undisturbed: [], asked: [], latencies: [], cpuMs: 0 };
    for (let pair = 0; pair < PAIRS; pair++) {
      const before = processorMs(server);
      measured.undisturbed.push(await measure(server, () => setTimeout(WINDOW_MS)));
      const between = processorMs(server);
      measured.asked.push(await measure(server, () => bother(server, measured.latencies)));
      measured.cpuMs += processorMs(server) - between - (between - before);
    }
    print(measured, BATCH * (await tokensOfRow()));
  } finally {
    server.child.kill('SIGKILL');
    agent.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
};
