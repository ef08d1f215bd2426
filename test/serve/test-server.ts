import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { preemptivePriority } from '../../core/scheduler/policy.ts';
import type { ServedEvent, ServedJob, ServedProblems } from '../../core/served-job.ts';
import { resolveSetup } from '../../core/experiment/read.ts';
import type { LiveRunOptions } from '../../exec/live/live-run.ts';
import type { ServerError } from '../../serve/server-error.ts';
import { DEFAULT_LIMITS, type ServerLimits, type ServerOptions } from '../../serve/server-options.ts';
import { startServer, type Server } from '../../serve/start-server.ts';
import { context } from '../core/experiment/file.ts';
import { createFakeRun, type FakeRun } from './fake-run.ts';

export const TEMPLATES = { prompt: '{{ q }}', completion: '{{ a }}' };
/** The least that a job says on a server whose file has templates. */
export const JOB = { name: 'sums', adapter: { rank: 4 }, iterations: 10, data: { rows: [{ q: '1', a: '2' }] } };

const setup = () => {
  const file = { name: 'test', model: './tiny', cluster: '2xcpu' };
  const experiment = resolveSetup(file, context);
  if (E.isLeft(experiment)) throw new Error(JSON.stringify(experiment.left));
  return { experiment: experiment.right, defaults: { data: TEMPLATES } };
};

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface TestServer {
  readonly server: Server;
  readonly run: FakeRun;
  /** A request with the token, JSON in and out. */
  readonly ask: (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<Answer>;
  readonly submit: (job?: object, key?: string) => Promise<ServedJob>;
  /** Events of a stream until `enough` says so. */
  readonly listen: (path: string, enough: (events: readonly ServedEvent[]) => boolean, headers?: Readonly<Record<string, string>>) => Promise<readonly ServedEvent[]>;
}

export interface TestOptions {
  readonly folder: string;
  readonly run?: FakeRun;
  readonly limits?: Partial<ServerLimits>;
  readonly change?: Partial<ServerOptions>;
}

export const serverOptions = ({ folder, run = createFakeRun(), limits = {}, change = {} }: TestOptions): ServerOptions => {
  const given = setup();
  return {
    setup: given,
    live: {
      model: given.experiment.model,
      devices: ['cpu0', 'cpu1'],
      microbatches: 2,
      scheduler: { policy: preemptivePriority, slots: 4 },
    } as unknown as LiveRunOptions,
    baseIdentity: 'tiny',
    startRun: run.start,
    folder: join(folder, 'state'),
    host: '127.0.0.1',
    port: 0,
    dataFolder: join(folder, 'data'),
    policyName: 'priority',
    version: '0.0.0',
    dashboard: null,
    limits: { ...DEFAULT_LIMITS, requestsPerSecond: 10_000, submissionsPerSecond: 10_000, ...limits },
    onNote: () => undefined,
    ...change,
  };
};

export const openServer = async (options: TestOptions): Promise<E.Either<ServerError, Server>> => startServer(serverOptions(options))();

const eventsIn = (text: string): readonly ServedEvent[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as ServedEvent);

export const startTestServer = async (options: TestOptions): Promise<TestServer> => {
  const run = options.run ?? createFakeRun();
  const started = await openServer({ ...options, run });
  if (E.isLeft(started)) throw new Error(JSON.stringify(started.left));
  const server = started.right;
  const authorization = `Bearer ${server.token}`;
  const ask: TestServer['ask'] = async (method, path, body, headers = {}) => {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(server.url + path, { method, ...sent, headers: { authorization, ...type, ...headers } });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (response.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : text };
  };
  return {
    server,
    run,
    ask,
    submit: async (job = JOB, key) => {
      const { status, body } = await ask('POST', '/v1/jobs', job, key === undefined ? {} : { 'idempotency-key': key });
      if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
      return body as ServedJob;
    },
    listen: async (path, enough, headers = {}) => {
      const response = await fetch(server.url + path, { headers: { authorization, ...headers } });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        text += value ?? '';
        if (done || enough(eventsIn(text))) break;
      }
      await reader.cancel();
      return eventsIn(text);
    },
  };
};

/** What is wrong with a request, a line each. */
export const linesOf = ({ body }: Answer): readonly string[] => (body as ServedProblems).problems.map(({ path, message }) => `${path}: ${message}`);

/** A folder that is gone after the test. */
export const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'mlora-serve-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
