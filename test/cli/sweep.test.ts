import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAIN, runCli } from './run-cli.ts';

const fileOf = (counts: readonly number[], iterations: number): string => `
name: cli
base:
  name: base
  model: TinyLlama-1.1B
  precision: bf16
  cluster: 4xA6000-pcie
  defaults: { data: { lengths: { type: fixed, length: 64 }, rows: 64 }, iterations: ${iterations}, batchSize: 8, adapter: { rank: 8 } }
  jobs: [{ name: one }]
grid:
  schedule.type: [1f1b, lorapp]
  jobs.count: [${counts.join(', ')}]
`;

describe('mlora sweep', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlora-sweep-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const journalLength = async (): Promise<number> => (await readFile(join(folder, 'runs/grid/points.jsonl'), 'utf8')).split('\n').length - 1;

  test('runs a grid on worker threads, then only what a larger grid adds', async () => {
    await writeFile(join(folder, 'grid.yaml'), fileOf([1, 2], 2));
    const first = await runCli(['sweep', 'grid.yaml', '--threads', '2'], folder);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^lorapp +2 +\d+/m);
    expect(first.stderr).toContain('4 of 4 points');
    expect((await readdir(join(folder, 'runs/grid'))).sort()).toEqual(['by-jobs-count.png', 'by-jobs-count.svg', 'by-schedule-type.png', 'by-schedule-type.svg', 'points.jsonl', 'results.csv', 'run.json']);
    const csv = await readFile(join(folder, 'runs/grid/results.csv'), 'utf8');
    await writeFile(join(folder, 'grid.yaml'), fileOf([1, 2, 3], 2));
    const second = await runCli(['sweep', 'grid.yaml', '--threads', '1'], folder);
    expect(second.stderr).toContain('2 of 2 points');
    const larger = (await readFile(join(folder, 'runs/grid/results.csv'), 'utf8')).split('\n');
    for (const line of csv.trim().split('\n')) expect(larger).toContain(line);
    expect(await journalLength()).toBe(6);
  }, 120_000);

  test('Ctrl-C leaves what is done, and the same command goes on from there', async () => {
    await writeFile(join(folder, 'grid.yaml'), fileOf([1, 2, 3, 4, 5, 6], 100));
    const child = spawn(process.execPath, [MAIN, 'sweep', 'grid.yaml', '--threads', '1'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr === '') child.kill('SIGINT');
      stderr += chunk.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).toBe(130);
    expect(stderr).toMatch(/interrupted by SIGINT: \d+ of 12 points are done; run the same command to go on/);
    const done = await journalLength();
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(12);
    expect(await readdir(join(folder, 'runs/grid'))).toContain('results.csv');
    const { code: finished, stderr: rest } = await runCli(['sweep', 'grid.yaml'], folder);
    expect(finished).toBe(0);
    expect(rest).toContain(`${12 - done} of ${12 - done} points`);
    expect(await journalLength()).toBe(12);
  }, 240_000);

  test('refuses a wrong file with every problem and makes no folder', async () => {
    await writeFile(join(folder, 'grid.yaml'), fileOf([0, 1], 2).replace('1f1b', '1f2b').replace('TinyLlama-1.1B', 'Tiny'));
    const { code, stderr } = await runCli(['sweep', 'grid.yaml'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('grid.yaml: grid["jobs.count"][0]: expected a whole number of at least 1');
    expect(stderr).toContain('grid.yaml: grid["schedule.type"][0]: schedule.type is "1f2b"');
    expect(stderr).toContain('grid.yaml: base: model: is "Tiny"');
    expect(await readdir(folder)).toEqual(['grid.yaml']);
  }, 60_000);
});
