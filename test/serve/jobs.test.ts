import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServedEvent, ServedJob } from '../../core/served-job.ts';
import { createFakeRun, emptyDisk, ITERATIONS, type FakeDisk } from './fake-run.ts';
import { JOB, openServer, serverOptions, startTestServer, type TestServer } from './test-server.ts';

let folder = '';
let disk: FakeDisk;
let server: TestServer;

const start = async (): Promise<void> => {
  server = await startTestServer({ folder, run: createFakeRun(disk) });
};
const restart = async (): Promise<void> => {
  await server.server.close();
  await start();
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-serve-'));
  disk = emptyDisk();
  await start();
});
afterEach(async () => {
  await server.server.close();
  await rm(folder, { recursive: true });
});

const get = async (id: string): Promise<ServedJob> => (await server.ask('GET', `/v1/jobs/${id}`)).body as ServedJob;
const kindsOf = (events: readonly ServedEvent[]): string[] => events.map(({ kind, iteration }) => (kind === 'iteration' ? `${kind} ${iteration}` : kind));
const has = (kind: string) => (events: readonly ServedEvent[]) => events.some((event) => event.kind === kind);

describe('a job', () => {
  it('is followed from its place in the queue to its adapter', async () => {
    const { id } = await server.submit();
    server.run.tell({ kind: 'admitted', job: id });
    server.run.iterate(id, 2);
    server.run.tell({ kind: 'evaluated', job: id, iteration: 2, loss: 0.7 });
    await server.listen(`/v1/jobs/${id}/events`, has('evaluated'));
    expect(await get(id)).toMatchObject({ state: 'running', iteration: 2, iterations: ITERATIONS, loss: 0.5, heldoutLoss: 0.7, startedAt: expect.any(String) as unknown });
    expect((await server.ask('GET', `/v1/jobs/${id}/losses`)).body).toEqual({ training: [[1, 1], [2, 0.5]], heldout: [[2, 0.7]] });
    await server.run.finish(id);
    expect(await get(id)).toMatchObject({ state: 'completed', adapter: ['adapter_config.json', 'adapter_model.safetensors'], finishedAt: expect.any(String) as unknown });
    const weights = await server.ask('GET', `/v1/jobs/${id}/adapter/adapter_model.safetensors`);
    expect([weights.status, weights.body, weights.headers.get('content-length')]).toEqual([200, 'weights', '7']);
    expect((await server.ask('GET', '/v1/jobs?state=unfinished')).body).toEqual({ jobs: [] });
  });

  it('gives its rows back when it has finished', async () => {
    const { id, number } = await server.submit();
    expect(await readdir(join(folder, 'state', 'rows'))).toEqual([String(number)]);
    await server.run.finish(id);
    await expect.poll(() => readdir(join(folder, 'state', 'rows'))).toEqual([]);
  });

  it('that fails says why', async () => {
    const { id } = await server.submit();
    await server.run.finish(id, 'failed');
    expect(await get(id)).toMatchObject({ state: 'failed', error: 'it diverged', adapter: [] });
  });

  it('is cancelled once, leaves at its iteration end, and cannot be changed afterwards', async () => {
    const { id } = await server.submit();
    server.run.tell({ kind: 'admitted', job: id });
    expect((await server.ask('POST', `/v1/jobs/${id}/cancel`)).body).toMatchObject({ state: 'leaving', cancelled: true });
    expect((await server.ask('POST', `/v1/jobs/${id}/cancel`)).status).toBe(200);
    await server.run.finish(id, 'cancelled');
    expect(await get(id)).toMatchObject({ state: 'cancelled' });
    expect(await server.ask('POST', `/v1/jobs/${id}/cancel`)).toMatchObject({ status: 409, body: { error: `job ${id} has ended: cancelled` } });
    expect((await server.ask('PATCH', `/v1/jobs/${id}`, { priority: 2 })).status).toBe(409);
    expect(kindsOf(await server.listen(`/v1/jobs/${id}/events`, () => false))).toEqual(['submitted', 'admitted', 'cancelled', 'finished']);
  });

  it('takes another priority, of which the run hears', async () => {
    const { id } = await server.submit();
    expect((await server.ask('PATCH', `/v1/jobs/${id}`, { priority: 7 })).body).toMatchObject({ priority: 7 });
    expect(server.run.priorities).toEqual([[id, 7]]);
  });
});

describe('a stream of events', () => {
  it('tells what was and what comes, in order, and ends with its job', async () => {
    const { id } = await server.submit();
    server.run.iterate(id, 2);
    const heard = server.listen(`/v1/jobs/${id}/events`, () => false);
    await server.submit();
    await server.listen('/v1/events', has('iteration'));
    server.run.iterate(id, 3);
    await server.run.finish(id);
    const events = await heard;
    expect(kindsOf(events)).toEqual(['submitted', 'iteration 1', 'iteration 2', 'iteration 3', 'finished']);
    expect(events.map(({ sequence }) => sequence)).toEqual([...events.map(({ sequence }) => sequence)].sort((a, b) => a - b));
  });

  it('goes on behind the event that a client has seen', async () => {
    const { id } = await server.submit();
    server.run.iterate(id, 4);
    const [first] = await server.listen('/v1/events', has('iteration'));
    const rest = await server.listen('/v1/events', (events) => events.length === 4, { 'last-event-id': String(first!.sequence) });
    expect(kindsOf(rest)).toEqual(['iteration 1', 'iteration 2', 'iteration 3', 'iteration 4']);
  });

  it('tells an iteration once, though it was made again after a lost rank', async () => {
    const { id } = await server.submit();
    server.run.iterate(id, 3);
    server.run.tell({ kind: 'setBack', job: id, iteration: 1 });
    for (const iteration of [2, 3]) server.run.tell({ kind: 'iteration', job: id, iteration, loss: 1 / iteration });
    server.run.iterate(id, 4);
    await server.run.finish(id);
    const events = await server.listen(`/v1/jobs/${id}/events`, () => false);
    expect(kindsOf(events)).toEqual(['submitted', 'iteration 1', 'iteration 2', 'iteration 3', 'setBack', 'iteration 4', 'finished']);
  });

  it('is refused where too many are open', async () => {
    await server.server.close();
    server = await startTestServer({ folder, limits: { mostStreams: 1 } });
    const open = await fetch(`${server.server.url}/v1/events`, { headers: { authorization: `Bearer ${server.server.token}` } });
    expect((await server.ask('GET', '/v1/events')).status).toBe(503);
    await open.body!.cancel();
    await expect.poll(async () => (await server.ask('GET', '/v1/events?after=x')).status).toBe(400);
  });
});

describe('a restarted server', () => {
  it('hands every unfinished job over again, in order, with its last priority, and no finished one', async () => {
    const jobs = [await server.submit(), await server.submit(), await server.submit({ ...JOB, priority: 1, user: 'ada' })];
    const first = [...server.run.submitted];
    await server.run.finish(jobs[1]!.id);
    await server.ask('PATCH', `/v1/jobs/${jobs[0]!.id}`, { priority: 5 });
    await restart();
    await expect.poll(() => server.run.submitted.map(({ id }) => id)).toEqual([jobs[0]!.id, jobs[2]!.id]);
    expect(server.run.submitted.map(({ job }) => job.priority)).toEqual([5, 1]);
    expect(server.run.submitted[1]).toEqual(first[2]);
    expect(await get(jobs[1]!.id)).toMatchObject({ state: 'completed' });
  });

  it('learns the end of a job that was not in the book yet, once', async () => {
    const { id } = await server.submit();
    disk.outcomes.set(id, 'completed');
    await restart();
    await expect.poll(async () => (await get(id)).state).toBe('completed');
    expect(kindsOf(await server.listen(`/v1/jobs/${id}/events`, () => false))).toEqual(['submitted', 'finished']);
  });

  it('knows a request by its key', async () => {
    const { id } = await server.submit(JOB, 'k');
    await restart();
    expect((await server.ask('POST', '/v1/jobs', JOB, { 'idempotency-key': 'k' })).body).toMatchObject({ id });
    expect((await server.submit()).number).toBe(2);
  });

  it('cancels what was cancelled before', async () => {
    const { id } = await server.submit();
    await server.ask('POST', `/v1/jobs/${id}/cancel`);
    await restart();
    await expect.poll(() => server.run.cancelled).toEqual([id]);
  });

  it('keeps a job that the run takes no more, with the reason', async () => {
    const { id } = await server.submit();
    await server.server.close();
    const run = createFakeRun(disk);
    run.refuse = () => ({ kind: 'badInput', files: [{ file: 'iteration-3', problems: [{ path: '', message: 'is broken' }] }] });
    server = await startTestServer({ folder, run });
    await expect.poll(async () => await get(id)).toMatchObject({ state: 'failed', error: 'iteration-3: is broken' });
  });

  it('of another experiment is refused while jobs are unfinished', async () => {
    const { id } = await server.submit();
    await server.server.close();
    const live = { ...serverOptions({ folder }).live, microbatches: 4 };
    expect(await openServer({ folder, change: { live } })).toMatchObject(E.left({ kind: 'otherModel' }));
    await start();
    expect(await get(id)).toMatchObject({ id, state: 'waiting' });
  });
});
