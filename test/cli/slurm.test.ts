import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAIN, runCli } from './run-cli.ts';
import { shortExperiment } from './short-experiment.ts';
import { startSlurm, whyNoSlurm, type Slurm } from './slurm.ts';

const obstacle = whyNoSlurm();
if (obstacle !== null && process.env.CI_SLURM === 'required') throw new Error(`CI requires Slurm: ${obstacle}`);
if (obstacle !== null) process.stderr.write(`runs under Slurm are not tested: ${obstacle}\n`);

const JOBS = ['sums', 'dates'];

describe.skipIf(obstacle !== null)('under Slurm', () => {
  let folder = '';
  let slurm: Slurm;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
    chmodSync(folder, 0o755);
    slurm = await startSlurm(folder);
    for (const [name, value] of Object.entries(slurm.environment)) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await slurm.close();
    await rm(folder, { recursive: true });
  });

  const jobIn = (text: string): string => /Slurm jobs? (\d+)/.exec(text)![1]!;
  const fieldOf = (job: string, field: string): string => new RegExp(`\\b${field}=(\\S+)`).exec(slurm.command('scontrol', 'show', 'job', job))![1]!;
  const untilField = async (job: string, field: string, value: RegExp): Promise<void> => {
    while (!value.test(fieldOf(job, field))) await setTimeout(100);
  };
  const batchSteps = (): string => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  const adaptersIn = (out: string): readonly Buffer[] =>
    JOBS.map((job) => readFileSync(join(out, 'adapters', job, 'adapter_model.safetensors')));

  it('a job whose step is killed comes back by itself, goes on from its checkpoints and trains what an undisturbed run trains', async () => {
    const runs = await mkdtemp(join(folder, 'runs-'));
    chmodSync(runs, 0o755);
    const experiment = join(runs, 'experiment.yaml');
    await writeFile(experiment, shortExperiment(12));
    const [out, alone] = [join(runs, 'job'), join(runs, 'alone')];
    const submitted = await runCli(['train', experiment, '--out', out, '--launcher', 'slurm']);
    const job = jobIn(submitted.stdout);
    while (!existsSync(join(out, 'checkpoints/sums/iteration-4'))) await setTimeout(20);
    slurm.command('scancel', '--signal=KILL', `${job}.0`);
    await untilField(job, 'JobState', /PENDING/);
    expect(fieldOf(job, 'Restarts')).toBe('1');
    expect(existsSync(join(out, 'adapters/sums'))).toBe(false);
    // Slurm lets a job that comes back wait for two minutes, so that the end of its first script is not taken for the second's.
    while (batchSteps().includes(`[${job}.batch]`)) await setTimeout(100);
    await setTimeout(2000);
    slurm.command('scontrol', 'update', `jobid=${job}`, 'starttime=now');
    await untilField(job, 'JobState', /COMPLETED|FAILED/);
    const said = readFileSync(join(out, `slurm/${job}.out`), 'utf8');
    expect(fieldOf(job, 'ExitCode'), said).toBe('0:0');
    expect(said.match(/training on 2 ranks/g)).toHaveLength(2);
    expect(said.match(/sums: iteration 2\/12/g)).toHaveLength(1);
    expect((await runCli(['train', experiment, '--out', alone])).code).toBe(0);
    expect(adaptersIn(out)).toEqual(adaptersIn(alone));
  });

  it('tasks of another number than the experiment has devices are refused by rank 0, and the others leave', async () => {
    const experiment = join(folder, 'three.yaml');
    await writeFile(experiment, shortExperiment(2));
    const script = join(folder, 'three.sh');
    await writeFile(script, `#!/bin/bash\nsrun --label ${process.execPath} ${MAIN} train ${experiment} --out ${join(folder, 'three')}\n`);
    const output = join(folder, 'three.out');
    expect(() => slurm.command('sbatch', '--wait', '--ntasks=3', `--output=${output}`, script)).toThrow();
    const lines = readFileSync(output, 'utf8').split('\n').filter((line) => line.includes('mlora'));
    expect(lines).toEqual([expect.stringMatching(/^0: mlora: .*three\.yaml: cluster: has 2 devices for 3 ranks that were started; expected one rank per device$/)]);
  });

  it('a sweep is an array of jobs, and one more that draws the pictures of all its points', async () => {
    const sweep = join(folder, 'sweep.yaml');
    await writeFile(join(folder, 'base.yaml'), shortExperiment(2));
    await writeFile(sweep, 'name: grid\nbase: base.yaml\ngrid:\n  schedule.microbatches: [1, 2, 4]\n');
    const out = join(folder, 'sweep');
    const submitted = await runCli(['sweep', sweep, '--out', out, '--launcher', 'slurm', '--tasks', '2', '--slurm-arg=--time=10']);
    const [, closing] = /and (\d+), which/.exec(submitted.stdout)!;
    await untilField(closing!, 'JobState', /COMPLETED|FAILED/);
    const said = readFileSync(join(out, `slurm/${closing!}.out`), 'utf8');
    expect(fieldOf(closing!, 'ExitCode'), said).toBe('0:0');
    const counts = ['points.1-of-2.jsonl', 'points.2-of-2.jsonl', 'points.jsonl'].map((name) => (existsSync(join(out, name)) ? readFileSync(join(out, name), 'utf8').trim().split('\n').length : 0));
    expect(counts).toEqual([2, 1, 0]);
    expect(readFileSync(join(out, 'results.csv'), 'utf8').trim().split('\n')).toHaveLength(4);
  });
});
