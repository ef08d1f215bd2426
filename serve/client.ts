import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { formatProblems } from '../core/problem.ts';
import { ADAPTER_FILES, type ServedEvent, type ServedJob, type ServedProblems } from '../core/served-job.ts';

export interface ServerAddress {
  readonly url: string;
  readonly token: string;
}

export type ClientError =
  /** Nobody answers there. */
  | { readonly kind: 'unreachable'; readonly url: string; readonly reason: string }
  /** The server says no. */
  | { readonly kind: 'refused'; readonly status: number; readonly body: ServedProblems };

/** `what`: what the problems are of, e.g. a file. */
export const formatClientError = (error: ClientError, what: string): string => {
  if (error.kind === 'unreachable') return `no server answers at ${error.url}: ${error.reason}`;
  const [first, ...rest] = error.body.problems;
  return first === undefined ? error.body.error : formatProblems(what, [first, ...rest]);
};

export interface Client {
  readonly submit: (job: unknown) => TaskEither<ClientError, ServedJob>;
  readonly list: (state: 'all' | 'unfinished' | 'finished') => TaskEither<ClientError, readonly ServedJob[]>;
  readonly inspect: (job: string) => TaskEither<ClientError, ServedJob>;
  readonly cancel: (job: string) => TaskEither<ClientError, ServedJob>;
  readonly changePriority: (job: string, priority: number) => TaskEither<ClientError, ServedJob>;
  /** The trained adapter: a tar archive of these files. */
  readonly adapter: (job: string) => TaskEither<ClientError, { readonly archive: ReadableStream<Uint8Array>; readonly files: readonly string[] }>;
  /** Tells the events of a job until it ends; comes back by itself after a cut line or a restarted server. */
  readonly follow: (job: string, onEvent: (event: ServedEvent) => void) => TaskEither<ClientError, void>;
}

const RETRIES = 5;
const RETRY_MS = 400;

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name) : String(cause);
};

const asProblems = (status: number, text: string): ServedProblems => {
  try {
    const body = JSON.parse(text) as Partial<ServedProblems>;
    if (typeof body.error === 'string') return { error: body.error, problems: body.problems ?? [] };
  } catch {
    // No answer of ours: a proxy's, say.
  }
  return { error: `the server answers ${status}: ${text.slice(0, 200)}`, problems: [] };
};

/** Pieces of a stream of events as they come. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServedEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data) as ServedEvent;
    }
  }
}

export const createClient = ({ url, token }: ServerAddress): Client => {
  const send = async (method: string, path: string, { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<E.Either<ClientError, Response>> => {
    try {
      const content = body === undefined ? {} : { body: JSON.stringify(body) };
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const response = await fetch(new URL(path, url), { method, ...content, headers: { authorization: `Bearer ${token}`, ...type, ...headers } });
      return response.ok ? E.right(response) : E.left({ kind: 'refused', status: response.status, body: asProblems(response.status, await response.text()) });
    } catch (error) {
      return E.left({ kind: 'unreachable', url, reason: reasonOf(error) });
    }
  };

  /** Asks again where the line was cut: the server may have heard, so only what may be heard twice comes here. */
  const sendAgain = async (...request: Parameters<typeof send>): Promise<E.Either<ClientError, Response>> => {
    for (let attempt = 1; ; attempt++) {
      const answer = await send(...request);
      if (E.isRight(answer) || answer.left.kind === 'refused' || attempt === RETRIES) return answer;
      await setTimeout(RETRY_MS);
    }
  };

  const ask =
    <T>(...request: Parameters<typeof send>): TaskEither<ClientError, T> =>
    async () => {
      const answer = await sendAgain(...request);
      return E.isLeft(answer) ? answer : E.right((await answer.right.json()) as T);
    };

  const listen = async (job: string, after: number, onEvent: (event: ServedEvent) => void): Promise<E.Either<ClientError, void>> => {
    const answer = await sendAgain('GET', `/v1/jobs/${encodeURIComponent(job)}/events?after=${after}`);
    if (E.isLeft(answer)) return answer;
    try {
      for await (const event of eventsOf(answer.right.body!)) onEvent(event);
    } catch {
      // The line was cut; what has been heard is known.
    }
    return E.right(undefined);
  };

  const pathOf = (job: string): string => `/v1/jobs/${encodeURIComponent(job)}`;

  return {
    submit: (job) => ask('POST', '/v1/jobs', { body: job, headers: { 'idempotency-key': randomUUID() } }),
    list: (state) => async () => {
      const listed = await ask<{ readonly jobs: readonly ServedJob[] }>('GET', `/v1/jobs?state=${state}&limit=1000`)();
      return E.map(({ jobs }: { readonly jobs: readonly ServedJob[] }) => jobs)(listed);
    },
    inspect: (job) => ask('GET', pathOf(job)),
    cancel: (job) => ask('POST', `${pathOf(job)}/cancel`),
    changePriority: (job, priority) => ask('PATCH', pathOf(job), { body: { priority } }),
    adapter: (job) => async () => {
      const answer = await sendAgain('GET', `${pathOf(job)}/adapter`);
      return E.map((response: Response) => ({ archive: response.body!, files: ADAPTER_FILES }))(answer);
    },
    follow: (job, onEvent) => async () => {
      const heard: Pick<ServedEvent, 'sequence' | 'kind'> = { sequence: 0, kind: 'submitted' };
      for (;;) {
        const answer = await listen(job, heard.sequence, (event) => onEvent(Object.assign(heard, event)));
        if (E.isLeft(answer) || heard.kind === 'finished') return answer;
        await setTimeout(RETRY_MS);
      }
    },
  };
};
