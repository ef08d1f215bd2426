import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN, REPOSITORY, runCli } from './run-cli.ts';

let folder = '';
let experiment = '';

const dataOf = (name: string) => ({ data: { train: join(REPOSITORY, `experiments/demo/data/${name}.train.jsonl`) } });

const describeExperiment = (seed: number) => ({
  name: 'resume',
  model: join(REPOSITORY, 'experiments/demo/model'),
  cluster: '2xcpu',
  checkpoint: { every: 5 },
  defaults: { adapter: { rank: 4 }, data: { prompt: '{{ instruction }}', completion: '{{ output }}', maximumLength: 128 } },
  jobs: [
    { name: 'sums', iterations: 12, seed, ...dataOf('sums') },
    { name: 'dates', iterations: 40, seed: 2, ...dataOf('dates') },
  ],
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
  experiment = join(folder, 'experiment.yaml');
  await writeFile(experiment, stringify(describeExperiment(1)));
});
afterAll(() => rm(folder, { recursive: true }));

/** Starts training and interrupts it when a line of its progress contains a text. */
const interruptAt = (text: string, out: string): Promise<{ readonly code: number | null; readonly stderr: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, 'train', experiment, '--out', out], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    let sent = false;
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (!sent && stderr.includes(text)) sent = child.kill('SIGINT');
    });
    child.on('close', (code) => resolve({ code, stderr }));
  });

const adapterBytes = (out: string, name: string): Promise<Buffer> =>
  readFile(join(out, 'adapters', name, 'adapter_model.safetensors'));

describe('mlora train --resume', () => {
  it('goes on after Ctrl-C, which exits with 130, and ends with the files of an undisturbed run', async () => {
    const [out, undisturbed] = [join(folder, 'out'), join(folder, 'undisturbed')];
    const { code, stderr } = await interruptAt('dates: iteration 12/40', out);
    expect(stderr).toContain('--resume');
    expect(code).toBe(130);
    expect((await runCli(['train', experiment, '--out', out, '--resume'])).code).toBe(0);
    expect((await runCli(['train', experiment, '--out', undisturbed])).code).toBe(0);
    for (const name of ['sums', 'dates']) expect((await adapterBytes(out, name)).equals(await adapterBytes(undisturbed, name))).toBe(true);
    expect(await readFile(join(out, 'losses.csv'), 'utf8')).toBe(await readFile(join(undisturbed, 'losses.csv'), 'utf8'));
    const again = await runCli(['train', experiment, '--out', out, '--resume']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('every job is trained') as unknown });
  }, 120_000);

  it('trains a job whose broken row was mended, which the run before had left out', async () => {
    const out = join(folder, 'mended');
    const data = join(folder, 'mended.jsonl');
    const file = join(folder, 'mended.yaml');
    const { defaults, ...described } = describeExperiment(1);
    const jobs = [{ ...described.jobs[0]!, iterations: 3 }, { name: 'mended', iterations: 2, data: { train: data } }];
    await writeFile(file, stringify({ ...described, defaults, jobs }));
    await writeFile(data, '{"instruction": "a", "output": "b"}\n{"instruction": "a", "output":\n');
    const first = await runCli(['train', file, '--out', out]);
    expect(first.code).toBe(2);
    expect(first.stderr).toContain(`${data}: line 2: is not JSON`);
    expect(first.stderr).toContain('job mended takes no part in this run; the others do');
    expect(await readdir(join(out, 'adapters'))).toEqual(['sums']);
    await writeFile(data, '{"instruction": "a", "output": "b"}\n');
    expect((await runCli(['train', file, '--out', out, '--resume'])).code).toBe(0);
    expect(await readdir(join(out, 'adapters'))).toEqual(['mended', 'sums']);
  }, 60_000);

  it('refuses checkpoints of another experiment with exit code 2 and touches nothing', async () => {
    const out = join(folder, 'other');
    await cp(join(folder, 'undisturbed'), out, { recursive: true });
    const other = join(folder, 'other.yaml');
    await writeFile(other, stringify(describeExperiment(7)));
    const before = await readdir(out, { recursive: true });
    const { code, stderr } = await runCli(['train', other, '--out', out, '--resume']);
    expect(code).toBe(2);
    expect(stderr).toContain(`${join(out, 'checkpoints', 'sums', 'iteration-12')}: belongs to another experiment`);
    expect(await readdir(out, { recursive: true })).toEqual(before);
  }, 60_000);
});
