import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServedEvent, ServedJob } from '../../core/served-job.ts';
import { MAIN, REPOSITORY } from '../cli/run-cli.ts';

const KILLS = 50;
/** Every third server is killed in the first moments of its life, the others while they train. */
const STARTING_MS = 1200;
const TRAINING_MS = 600;
const PORT_LINE = /^(http:\S+)\/#token=(\S+)$/m;
const FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;

/** The same kills in every run; where they hit is up to the machine. */
let seed = 20_261_124;
const random = (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};

/** Few rows are read quickly, and the server is started often. */
const ROWS = readFileSync(join(REPOSITORY, 'experiments/demo/data/sums.train.jsonl'), 'utf8').split('\n').slice(0, 24).map((line) => JSON.parse(line) as object);

const describeJob = (kind: number) => ({
  name: `job-${kind}`,
  adapter: { rank: 2, dropout: kind === 1 ? 0.1 : 0 },
  batchSize: 2,
  iterations: 12 + 4 * kind,
  seed: kind,
  priority: kind === 2 ? 1 : 0,
  data: { rows: ROWS, maximumLength: 24 },
});
const KINDS = [0, 1, 2];

interface Served {
  readonly child: ChildProcess;
  /** Rejects when the process ends before it listens. */
  readonly address: Promise<{ readonly url: string; readonly token: string }>;
  readonly ended: Promise<unknown>;
}

let folder = '';
let experiment = '';
const living = new Set<ChildProcess>();

/** On wasm: native TensorFlow sums in another order when a job has other neighbours. */
const startServer = (state: string): Served => {
  const child = spawn(process.execPath, [MAIN, 'serve', experiment, '--backend', 'wasm', '--state', state, '--port', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TMPDIR: folder },
  });
  living.add(child);
  const ended = once(child, 'exit').then(() => living.delete(child));
  let text = '';
  const address = new Promise<{ url: string; token: string }>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [, url, token] = PORT_LINE.exec(text) ?? [];
      if (url !== undefined && token !== undefined) resolve({ url, token });
    });
    void ended.then(() => reject(new Error('ended before it listened')));
  });
  address.catch(() => undefined);
  return { child, address, ended };
};

const ranksOf = async ({ pid }: ChildProcess): Promise<readonly number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).split(' ').filter(Boolean).map(Number);

const ask = async ({ address }: Served, method: string, path: string, body?: object, key = ''): Promise<Response> => {
  const { url, token } = await address;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...(key === '' ? {} : { 'idempotency-key': key }) };
  return fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
};

const jobsOf = async (served: Served): Promise<readonly ServedJob[]> =>
  ((await (await ask(served, 'GET', '/v1/jobs?limit=1000')).json()) as { readonly jobs: readonly ServedJob[] }).jobs;

const adapterOf = async (served: Served, id: string): Promise<readonly Buffer[]> =>
  Promise.all(FILES.map(async (file) => Buffer.from(await (await ask(served, 'GET', `/v1/jobs/${id}/adapter/${file}`)).arrayBuffer())));

/** Waits until jobs make iterations here: reading what a killed server has left takes longer than coming up. */
const untilTraining = async (served: Served): Promise<void> => {
  const made = async (): Promise<number> => (await jobsOf(served)).reduce((sum, { state, iteration }) => sum + (state === 'running' ? iteration : 0), 0);
  const before = await made();
  while ((await made()) <= before) await setTimeout(30);
};

const untilAllEnded = async (served: Served): Promise<readonly ServedJob[]> => {
  for (;;) {
    const jobs = await jobsOf(served);
    if (jobs.every(({ finishedAt }) => finishedAt !== null)) return jobs;
    await setTimeout(100);
  }
};

/** What an undisturbed server makes of each kind of job. */
const trainUndisturbed = async (): Promise<readonly (readonly Buffer[])[]> => {
  const served = startServer('undisturbed');
  const ids: string[] = [];
  for (const kind of KINDS) ids.push(((await (await ask(served, 'POST', '/v1/jobs', describeJob(kind))).json()) as ServedJob).id);
  await untilAllEnded(served);
  const adapters = await Promise.all(ids.map((id) => adapterOf(served, id)));
  served.child.kill('SIGTERM');
  await served.ended;
  return adapters;
};

/** A client that wants jobs done: it asks until it is answered, and asks for another job when one has ended. */
const createClient = () => {
  const confirmed = new Map<string, string>();
  let next = 0;
  return {
    confirmed,
    /** Submits `least` jobs, and until `most` jobs are unfinished; throws when the server is gone, as a client would notice. */
    keepBusy: async (served: Served, most: number, least = 0): Promise<void> => {
      const unfinished = (await jobsOf(served)).filter(({ finishedAt }) => finishedAt === null).length;
      for (let missing = Math.max(least, most - unfinished); missing > 0; missing--) {
        const key = `request-${next}`;
        const answer = await ask(served, 'POST', '/v1/jobs', describeJob(next % KINDS.length), key);
        if (answer.status !== 200 && answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
        confirmed.set(key, ((await answer.json()) as ServedJob).id);
        next += 1;
      }
    },
  };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-kills-'));
  experiment = join(folder, 'server.yaml');
  // A busy machine makes few iterations between two kills: each is one to go on from.
  const defaults = { data: { prompt: '{{ instruction }}', completion: '{{ output }}' } };
  await writeFile(experiment, stringify({ name: 'kills', model: join(REPOSITORY, 'experiments/demo/model'), cluster: '2xcpu', checkpoint: { every: 1 }, defaults }));
});
afterAll(async () => {
  for (const child of living) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

describe('a server whose processes are killed', () => {
  it(`finishes every job once, with the adapter of an undisturbed one, after ${KILLS} kills of server or rank`, async () => {
    const undisturbed = await trainUndisturbed();
    const client = createClient();
    const work = async (on: Served): Promise<never> => {
      for (;;) {
        await client.keepBusy(on, 4);
        await setTimeout(60);
      }
    };
    let served = startServer('killed');
    // What a client has of it when its server goes is an error.
    let working = work(served).catch(() => undefined);
    const hits = { server: 0, rank: 0 };
    for (let kill = 0; kill < KILLS; kill++) {
      if (kill % 3 === 0) await setTimeout(random() * STARTING_MS);
      else {
        await untilTraining(served);
        await setTimeout(random() * TRAINING_MS);
      }
      const ranks = await ranksOf(served.child);
      if (kill % 3 === 1 && ranks.length > 0) {
        process.kill(ranks[Math.floor(random() * ranks.length)]!, 'SIGKILL');
        hits.rank += 1;
      } else {
        served.child.kill('SIGKILL');
        hits.server += 1;
        await served.ended;
        await working;
        served = startServer('killed');
        working = work(served).catch(() => undefined);
      }
    }
    served.child.kill('SIGKILL');
    await Promise.all([served.ended, working]);
    served = startServer('killed');
    // The last request may have been heard without an answer.
    await client.keepBusy(served, 2, 1);
    const jobs = await untilAllEnded(served);
    expect(hits.rank).toBeGreaterThan(KILLS / 10);
    // Every request is one job, and nothing is there that nobody asked for.
    expect([...client.confirmed.values()].sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(['completed']));
    let resumed = 0;
    for (const { id, number, iterations } of jobs) {
      const kind = Number(id.at(-1));
      expect([number, ...(await adapterOf(served, id)).map((bytes, file) => bytes.equals(undisturbed[kind]![file]!))]).toEqual([number, true, true]);
      const events = (await (await ask(served, 'GET', `/v1/jobs/${id}/events`)).text()).match(/^data: .*$/gm)!.map((line) => JSON.parse(line.slice(6)) as ServedEvent);
      const count = (of: string): number => events.filter((event) => event.kind === of).length;
      expect([id, count('submitted'), count('iteration'), count('finished')]).toEqual([id, 1, iterations, 1]);
      resumed += count('resumed');
    }
    // The kills hit jobs that were being trained, too.
    expect(resumed).toBeGreaterThan(KILLS / 10);
    served.child.kill('SIGTERM');
    await served.ended;
  }, 240_000);
});
