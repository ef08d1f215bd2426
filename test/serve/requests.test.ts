import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServedJob } from '../../core/served-job.ts';
import { JOB, linesOf, openServer, startTestServer, withFolder, type TestServer } from './test-server.ts';

let folder = '';
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-serve-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data', 'sums.jsonl'), '{"q":"1","a":"2"}\n');
  await writeFile(join(folder, 'secret.jsonl'), '{"q":"secret","a":"2"}\n');
  await symlink(join(folder, 'secret.jsonl'), join(folder, 'data', 'link.jsonl'));
  server = await startTestServer({ folder, limits: { mostBodyBytes: 20_000, mostFileBytes: 100 } });
});
afterAll(async () => {
  await server.server.close();
  await rm(folder, { recursive: true });
});

const post = (body: unknown, headers?: Readonly<Record<string, string>>) => server.ask('POST', '/v1/jobs', body, headers);

describe('a submission', () => {
  it('is answered with the job and its place, and the job is listed', async () => {
    const answer = await post({ ...JOB, user: 'ada', priority: 3 });
    expect(answer.status).toBe(201);
    const job = answer.body as ServedJob;
    expect(job).toMatchObject({ name: 'sums', user: 'ada', priority: 3, state: 'waiting', iteration: 0, iterations: 10, error: null, adapter: [] });
    expect(answer.headers.get('location')).toBe(`/v1/jobs/${job.id}`);
    expect((await server.ask('GET', '/v1/jobs?state=unfinished')).body).toMatchObject({ jobs: [{ id: job.id }] });
    expect((await server.ask('GET', `/v1/jobs/${job.number}`)).body).toEqual(job);
  });

  it('takes the defaults of the server file and keeps the rows of the request for the run', async () => {
    const { id } = await server.submit({ ...JOB, data: { rows: [{ q: 'é', a: '2' }], heldoutRows: [{ q: '3', a: '4' }] } });
    const { job } = server.run.submitted.find((each) => each.id === id)!;
    expect(job).toMatchObject({ batchSize: 8, data: { prompt: '{{ q }}', completion: '{{ a }}' } });
    if (job.data.kind !== 'files') throw new Error('rows are in files');
    expect(await readFile(job.data.train, 'utf8')).toBe('{"q":"é","a":"2"}\n');
    expect(await readFile(job.data.heldout!, 'utf8')).toBe('{"q":"3","a":"4"}\n');
  });

  it('names a file of the data folder, of which the job keeps what it was', async () => {
    await server.submit({ ...JOB, data: { train: 'sums.jsonl' } });
    const { data } = server.run.submitted.at(-1)!.job;
    await writeFile(join(folder, 'data', 'sums.jsonl'), 'changed');
    expect(data.kind === 'files' && (await readFile(data.train, 'utf8'))).toBe('{"q":"1","a":"2"}\n');
  });

  it('is refused with everything that is wrong with it at once', async () => {
    const answer = await post({ name: 'a b', user: '', adapter: { rank: 0, rnak: 1 }, data: { rows: [], train: 'x.jsonl' }, priority: 5000, arrival: '3 s', patience: { evaluations: 0 } });
    expect(answer.status).toBe(422);
    expect(linesOf(answer)).toEqual([
      'user: is ""; expected up to 64 printable characters',
      'data.rows: is []; expected at least one row',
      'name: is "a b"; expected up to 64 letters, digits, dots, dashes and underscores, a letter or digit first and last',
      'adapter.rank: is 0; expected a whole number of at least 1',
      'adapter.rnak: unknown key; did you mean rank?',
      'patience.evaluations: is 0; expected a whole number of at least 1',
      'priority: is 5000; expected a whole number from -1000 to 1000',
      'data.rows: stands beside data.train, "x.jsonl"; expected one of the two',
    ]);
  });

  it.each([
    ['../secret.jsonl', "expected a file below the server's data folder"],
    ['/etc/passwd', "expected a file below the server's data folder"],
    ['link.jsonl', "expected a file below the server's data folder"],
    ['.', "expected a file below the server's data folder"],
    ['none.jsonl', 'cannot be read: there is no such file'],
  ])('reads nothing but files of the data folder: not %s', async (train, expected) => {
    const answer = await post({ ...JOB, data: { train } });
    expect(answer.status).toBe(422);
    expect(linesOf(answer)).toEqual([expect.stringMatching(/^data\.train: is "/)]);
    expect(linesOf(answer)[0]).toContain(expected);
  });

  it('cannot name a file beyond the largest', async () => {
    await writeFile(join(folder, 'data', 'large.jsonl'), 'x'.repeat(101));
    expect(linesOf(await post({ ...JOB, data: { train: 'large.jsonl' } }))).toEqual(['data.train: is "large.jsonl" with 101 bytes; expected at most 100']);
  });

  it('that can never fit is refused with the bytes, and leaves nothing', async () => {
    const before = (await server.ask('GET', '/v1/jobs')).body;
    server.run.refuse = () => ({ kind: 'neverFits', device: 'cpu1', requiredBytes: 4000, availableBytes: 3000 });
    const answer = await post(JOB);
    server.run.refuse = () => null;
    expect(answer.status).toBe(422);
    expect(linesOf(answer)).toEqual([expect.stringContaining('needs up to 4000 bytes on cpu1, which has 3000 for jobs')]);
    expect((await server.ask('GET', '/v1/jobs')).body).toEqual(before);
  });

  it('learns of wrong rows by the key and the name of the request', async () => {
    server.run.refuse = ({ job }) => ({ kind: 'badInput', files: [{ file: job.data.kind === 'files' ? job.data.train : '', problems: [{ path: 'line 2', message: 'is not JSON' }] }] });
    await writeFile(join(folder, 'data', 'sums.jsonl'), '{}');
    const named = await post({ ...JOB, data: { train: 'sums.jsonl' } });
    const uploaded = await post(JOB);
    server.run.refuse = () => null;
    expect(linesOf(named)).toEqual(['data.train: sums.jsonl: line 2: is not JSON']);
    expect(linesOf(uploaded)).toEqual(['data.rows: line 2: is not JSON']);
  });
});

describe('the same submission again', () => {
  it('under its key is the same job', async () => {
    const first = await post(JOB, { 'idempotency-key': 'k1' });
    const again = await post(JOB, { 'idempotency-key': 'k1' });
    expect([first.status, again.status]).toEqual([201, 200]);
    expect((again.body as ServedJob).id).toBe((first.body as ServedJob).id);
  });

  it('at the same moment is one job', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(JOB, { 'idempotency-key': 'k2' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(answers.map(({ body }) => (body as ServedJob).id)).size).toBe(1);
  });

  it('under the key of another one is a conflict that names the job', async () => {
    const { id } = await server.submit(JOB, 'k3');
    const answer = await post({ ...JOB, seed: 9 }, { 'idempotency-key': 'k3' });
    expect(answer).toMatchObject({ status: 409, body: { error: `this Idempotency-Key belongs to another request: ${id}` } });
  });

  it('may come after it was refused', async () => {
    server.run.refuse = () => ({ kind: 'neverFits', device: 'cpu1', requiredBytes: 2, availableBytes: 1 });
    expect((await post(JOB, { 'idempotency-key': 'k4' })).status).toBe(422);
    server.run.refuse = () => null;
    expect((await post(JOB, { 'idempotency-key': 'k4' })).status).toBe(201);
  });
});

describe('a bad request', () => {
  it.each([
    ['without a token', {}],
    ['with a wrong token', { authorization: 'Bearer wrong' }],
    ['with the token in another scheme', { authorization: 'Basic dG9rZW4=' }],
  ])('%s is answered with 401 on every route below /v1', async (_name, headers) => {
    const { paths } = (await server.ask('GET', '/openapi.json')).body as { paths: Record<string, Record<string, unknown>> };
    const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path] as const));
    const guarded = routes.filter(([, path]) => path.startsWith('/v1/'));
    expect(guarded.length).toBeGreaterThan(9);
    for (const [method, path] of guarded) {
      const response = await fetch(server.server.url + path.replace('{job}', '1').replace('{file}', 'x'), { method, headers });
      expect([method, path, response.status]).toEqual([method, path, 401]);
    }
  });

  it.each<readonly [name: string, status: number, method: string, path: string, body: string | undefined, headers: Record<string, string> | undefined]>([
    ['malformed JSON', 400, 'POST', '/v1/jobs', '{"name": ', undefined],
    ['a body that is no object', 422, 'POST', '/v1/jobs', '[]', undefined],
    ['no body', 400, 'POST', '/v1/jobs', '', undefined],
    ['an oversized body', 413, 'POST', '/v1/jobs', `"${'x'.repeat(20_000)}"`, undefined],
    ['a body that is no JSON', 415, 'POST', '/v1/jobs', 'a=1', { 'content-type': 'text/plain' }],
    ['an unusable key', 400, 'POST', '/v1/jobs', '{}', { 'idempotency-key': 'x'.repeat(300) }],
    ['an unknown job', 404, 'GET', '/v1/jobs/999', undefined, undefined],
    ['a job of a long name', 404, 'GET', `/v1/jobs/${'9'.repeat(90)}`, undefined, undefined],
    ['an unknown route', 404, 'GET', '/v1/jbos', undefined, undefined],
    ['an unknown query', 400, 'GET', '/v1/jobs?status=all', undefined, undefined],
    ['a wrong query', 400, 'GET', '/v1/jobs?limit=0', undefined, undefined],
    ['a wrong place in a stream', 400, 'GET', '/v1/events?after=x', undefined, undefined],
    ['a wrong priority', 422, 'PATCH', '/v1/jobs/1', '{"priority": 0.5}', undefined],
    ['the archive of an adapter that is not there yet', 409, 'GET', '/v1/jobs/1/adapter', undefined, undefined],
    ['an adapter that is not there yet', 409, 'GET', '/v1/jobs/1/adapter/adapter_config.json', undefined, undefined],
    ['another file of an adapter', 404, 'GET', '/v1/jobs/1/adapter/..%2F..%2Ftoken', undefined, undefined],
  ])('%s is answered with %i and a sentence', async (_name, status, method, path, body, headers) => {
    const answer = await server.ask(method, path, body, headers);
    expect(answer).toMatchObject({ status, body: { error: expect.stringMatching(/.{10}/) as unknown } });
  });

  it('leaves the server up', async () => {
    expect((await server.ask('GET', '/v1/status')).body).toMatchObject({ ready: true, name: 'test', devices: ['cpu0', 'cpu1'] });
  });
});

describe('limits', () => {
  it('answers 429 beyond the requests of a second, and 503 beyond the jobs of the queue', async () => {
    await withFolder(async (own) => {
      const limited = await startTestServer({ folder: own, limits: { mostJobs: 2, requestsPerSecond: 12, submissionsPerSecond: 3 } });
      const submissions = await Promise.all(Array.from({ length: 4 }, () => limited.ask('POST', '/v1/jobs', JOB)));
      expect(submissions.map(({ status }) => status).sort()).toEqual([201, 201, 429, 503]);
      const questions = await Promise.all(Array.from({ length: 30 }, () => limited.ask('GET', '/v1/status')));
      expect(new Set(questions.map(({ status }) => status))).toEqual(new Set([200, 429]));
      await limited.server.close();
    });
  });
});

describe('the OpenAPI document', () => {
  it('describes the answers as they are', async () => {
    const { number } = await server.submit();
    const { paths } = (await server.ask('GET', '/openapi.json')).body as {
      paths: Record<string, Record<string, { responses: Record<string, { content: Record<string, { schema: { required: string[] } }> }> }>>;
    };
    const described = (path: string, type = 'application/json'): string[] => paths[path]!.get!.responses['200']!.content[type]!.schema.required;
    const [event] = await server.listen('/v1/events', (events) => events.length > 0);
    expect(Object.keys(event!)).toEqual(described('/v1/events', 'text/event-stream'));
    for (const [path, asked] of [['/v1/status', '/v1/status'], ['/v1/jobs', '/v1/jobs'], ['/v1/jobs/{job}', `/v1/jobs/${number}`], ['/v1/jobs/{job}/losses', `/v1/jobs/${number}/losses`]] as const) {
      expect(Object.keys((await server.ask('GET', asked)).body as object)).toEqual(described(path));
    }
  });
});

describe('the server itself', () => {
  it('has a token for its user only, in a folder for its user only', async () => {
    expect((await stat(join(folder, 'state', 'token'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state'))).mode & 0o777).toBe(0o700);
    expect((await readFile(join(folder, 'state', 'token'), 'utf8')).trim()).toBe(server.server.token);
    expect(server.server.token.length).toBeGreaterThan(40);
  });

  it('lets no second one onto its folder or its port', async () => {
    expect(await openServer({ folder })).toMatchObject(E.left({ kind: 'folderInUse' }));
    await withFolder(async (own) => {
      const taken = await openServer({ folder: own, change: { port: Number(new URL(server.server.url).port) } });
      expect(taken).toMatchObject(E.left({ kind: 'cannotListen', reason: expect.stringContaining('EADDRINUSE') as unknown }));
      // What it refused to share is free again for the next one.
      const next = await openServer({ folder: own });
      expect(E.isRight(next)).toBe(true);
      if (E.isRight(next)) await next.right.close();
    });
  });
});
