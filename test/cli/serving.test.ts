import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServedEvent, ServedJob } from '../../core/served-job.ts';
import { startTestServer, TEMPLATES, type TestServer } from '../serve/test-server.ts';
import { REPOSITORY, runCli, type CliResult } from './run-cli.ts';

let folder = '';
let server: TestServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-serving-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data', 'sums.jsonl'), '{"q":"1","a":"2"}\n');
  const job = (name: string) => ({ name, adapter: { rank: 2 }, data: { train: 'sums.jsonl' } });
  await writeFile(join(folder, 'data', 'jobs.yaml'), stringify({ name: 'x', model: './m', cluster: '2xcpu', defaults: { iterations: 10, data: TEMPLATES }, jobs: [job('one'), job('two')] }));
  server = await startTestServer({ folder });
});
afterAll(async () => {
  await server.server.close();
  await rm(folder, { recursive: true });
});

const mlora = (...args: readonly string[]): Promise<CliResult> => runCli([...args, '--state', join(folder, 'state')]);
const submit = (...args: readonly string[]): Promise<CliResult> => mlora('submit', join(folder, 'data', 'jobs.yaml'), ...args);

describe('the commands that talk to a server', () => {
  it('submit the jobs of a file with its defaults, and print their ids', async () => {
    expect(await submit()).toEqual({ code: 0, stdout: '1-one\n2-two\n', stderr: '' });
    expect(server.run.submitted.map(({ job }) => job)).toMatchObject([{ name: 'one', duration: { iterations: 10 } }, { name: 'two' }]);
  });

  it('submit some of them, for a user, with a priority, rows sent along', async () => {
    const { stdout } = await submit('--job', 'two', '--user', 'ada', '--priority', '7', '--upload');
    expect(stdout).toBe('3-two\n');
    const { user, job } = server.run.submitted.at(-1)!;
    expect([user, job.priority]).toEqual(['ada', 7]);
    expect(job.data.kind === 'files' && (await readFile(job.data.train, 'utf8'))).toBe('{"q":"1","a":"2"}\n');
  });

  it('say what is wrong with a job, by file and job, and take those before it', async () => {
    const file = join(folder, 'data', 'wrong.yaml');
    await writeFile(file, stringify({ name: 'odd', adapter: { rank: 0 }, data: { train: '../secret.jsonl', ...TEMPLATES } }));
    const { code, stderr } = await mlora('submit', file);
    expect(code).toBe(2);
    expect(stderr).toBe(`mlora: ${file}: job odd: adapter.rank: is 0; expected a whole number of at least 1\n`);
    expect((await submit('--job', 'three')).stderr).toContain('the jobs of');
  });

  it('list jobs', async () => {
    server.run.iterate('1-one', 2);
    await server.listen('/v1/events', (events) => events.some(({ kind }) => kind === 'iteration'));
    const { code, stdout } = await mlora('ps');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^job +user +priority +state +iterations +loss +held-out +submitted\n3-two +ada +7 +waiting +0\/10/);
    expect(stdout).toMatch(/1-one +anybody +0 +waiting +2\/10 +0\.5000/);
    expect((JSON.parse((await mlora('ps', '--json')).stdout) as ServedJob[]).map(({ id }) => id)).toEqual(['3-two', '2-two', '1-one']);
  });

  it('print what happens to a job until it ends, and fail with it', async () => {
    const [good, bad] = [mlora('logs', '1', '--json'), mlora('logs', '2-two')];
    await server.run.finish('1-one');
    await server.run.finish('2-two', 'failed');
    const kinds = (await good).stdout.trim().split('\n').map((line) => (JSON.parse(line) as ServedEvent).kind);
    expect(kinds).toEqual(['submitted', 'iteration', 'iteration', 'finished']);
    expect(await bad).toMatchObject({ code: 1, stdout: expect.stringMatching(/Z submitted\n.*Z finished 10 failed\n$/) as unknown, stderr: 'mlora: job 2-two failed: it diverged\n' });
  });

  it('cancel jobs', async () => {
    expect(await mlora('cancel', '3')).toMatchObject({ code: 0, stdout: '3-two waiting\n' });
    expect(await mlora('cancel', '1')).toMatchObject({ code: 2, stderr: expect.stringContaining('job 1-one has ended: completed') as unknown });
    expect(await mlora('cancel', '9')).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no job 9') as unknown });
  });

  it('change the priority of a job', async () => {
    const [{ id }] = JSON.parse((await mlora('ps', '--json')).stdout) as [ServedJob];
    expect(await mlora('priority', id, '-12')).toEqual({ code: 0, stdout: `${id} waiting, priority -12\n`, stderr: '' });
    expect(await mlora('priority', id, '4000')).toMatchObject({ code: 2, stderr: expect.stringContaining('priority: is 4000; expected a whole number from -1000 to 1000') as unknown });
    expect(await mlora('priority', '1', '1')).toMatchObject({ code: 2, stderr: expect.stringContaining('job 1-one has ended') as unknown });
  });

  it('fetch an adapter into a new folder, as a whole or not at all', async () => {
    const out = join(folder, 'fetched', 'one');
    expect(await mlora('fetch', '1', '--out', out)).toEqual({ code: 0, stdout: `the adapter of 1-one is in ${out}\n`, stderr: '' });
    expect(await Promise.all(['adapter_config.json', 'adapter_model.safetensors'].map((file) => readFile(join(out, file), 'utf8')))).toEqual(['{"r":4}', 'weights']);
    expect(await mlora('fetch', '1', '--out', out)).toMatchObject({ code: 2, stderr: expect.stringContaining('exists') as unknown });
    expect(await mlora('fetch', '2', '--out', join(folder, 'fetched', 'two'))).toMatchObject({ code: 2, stderr: expect.stringContaining('job 2-two has no adapter: it is failed') as unknown });
    expect(await readdir(join(folder, 'fetched'))).toEqual(['one']);
  });

  it('submit a grid as the trials of a sweep of its own, all of them or none', async () => {
    const file = join(folder, 'data', 'grid.yaml');
    const template = { name: 'grid', adapter: { rank: 2 }, iterations: 10, evaluate: { every: 2 }, data: { ...TEMPLATES, train: 'sums.jsonl', split: 0.5 }, halving: { reduction: 2 } };
    await writeFile(file, stringify({ jobs: [{ ...template, grid: { 'adapter.rank': [1, 2], seed: [1, 2] } }] }));
    const before = server.run.submitted.length;
    const sent = await mlora('submit', file);
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(sent.stdout.trim().split('\n')).toHaveLength(4);
    expect(sent.stdout).toMatch(/^\d+-grid-\d {2}adapter\.rank = [12], seed = [12]$/m);
    const trials = server.run.submitted.slice(before);
    const name = trials[0]!.sweep!.name;
    expect(name).toMatch(/^grid-[0-9a-f]{8}$/);
    expect(trials.map(({ sweep }) => sweep)).toEqual(trials.map(() => ({ name, trials: 4, reduction: 2, rungs: [2, 4, 8] })));
    for (const { id } of trials) await mlora('cancel', id);

    await writeFile(file, stringify({ jobs: [{ ...template, grid: { 'optimizer.learningRate': [0.1, -1] } }] }));
    const refused = await mlora('submit', file);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('optimizer.learningRate: is -1') as unknown });
    const cancelled = refused.stdout.trim() === '' ? [] : refused.stdout.trim().split('\n').map((line) => line.split(' ')[0]!);
    for (const id of cancelled) expect(refused.stderr).toContain(`${id} is cancelled: its sweep is not complete`);
  });

  it('say where no server is', async () => {
    const nowhere = await runCli(['ps', '--state', join(folder, 'nowhere')]);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('holds no address') as unknown });
    const silent = await mlora('ps', '--server', 'http://127.0.0.1:9');
    expect(silent).toMatchObject({ code: 1, stderr: expect.stringContaining('no server answers at http://127.0.0.1:9') as unknown });
    expect(await mlora('ps', '--server', 'localhost')).toMatchObject({ code: 2 });
  });
});

describe('mlora import', () => {
  it('writes an experiment beside which paths are right, and lists what became of every key', async () => {
    await mkdir(join(folder, 'released', 'demo'), { recursive: true });
    await writeFile(join(folder, 'released', 'demo', 'prompt.yaml'), "template: |\n  Q {{ data_point['q'] }}\n  A {{ data_point['a'] }}\n");
    const released = {
      dispatcher: { name: 'default', concurrency_num: 1 },
      datasets: [{ name: 'd', data: 'demo/data.json', prompt: 'demo/prompt.yaml', prompt_type: 'instruction', preprocess: 'default' }],
      adapters: [{ name: 'a', type: 'lora', path: 'out', optimizer: 'adamw', lr: 3e-4, r: 8, alpha: 16, dropout: 0, target_modules: { q_proj: true } }],
      tasks: [{ type: 'train', name: 't', adapter: 'a', dataset: 'd', batch_size: 8, mini_batch_size: 8, num_epochs: 1, cutoff_len: 64, save_step: 10 }],
    };
    const file = join(folder, 'released', 'case.yaml');
    const out = join(folder, 'imported', 'experiment.yaml');
    await mkdir(join(folder, 'imported'));
    await writeFile(file, stringify(released));
    const { code, stderr } = await runCli(['import', file, '--root', join(folder, 'released'), '--model', join(REPOSITORY, 'experiments/demo/model'), '--out', out]);
    expect(code).toBe(0);
    expect(parse(await readFile(out, 'utf8'))).toMatchObject({ name: 'case', jobs: [{ name: 't', data: { train: '../released/demo/data.json', prompt: 'Q {{ q }}\nA ' } }] });
    expect(stderr).toContain('tasks[0].batch_size 8 → jobs[0].batchSize');
    expect(stderr).toMatch(/not mapped:\n(?:.*\n)*? {2}datasets\[0\]\.preprocess "default"/);
    expect(stderr).not.toContain('not complete');
    const refused = await runCli(['import', join(folder, 'data', 'jobs.yaml')]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('expected dispatcher, datasets, adapters and tasks') as unknown });
  });
});
