import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { stringify } from 'yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { REPOSITORY, runCli } from './run-cli.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const DEMO = join(REPOSITORY, 'experiments', 'demo');

const write = async (rank: number): Promise<string> => {
  const file = join(folder, 'trials.yaml');
  const job = {
    name: 'sums',
    adapter: { rank },
    data: { train: join(DEMO, 'data', 'sums.heldout.jsonl'), split: 0.2, prompt: '{{ instruction }}', completion: '{{ output }}' },
    batchSize: 2,
    iterations: 6,
    evaluate: { every: 2 },
    grid: { 'optimizer.learningRate': [1e-9, 0.01], seed: [1, 2] },
    halving: { reduction: 2, rungs: [2] },
  };
  await writeFile(file, stringify({ name: 'trials', model: join(DEMO, 'model'), cluster: '2xcpu', schedule: { type: 'lorapp', microbatches: 1 }, jobs: [job] }));
  return file;
};

it('mlora live trains the trials of a grid, tells the best one, and does neither again', async () => {
  const out = join(folder, 'out');
  const first = await runCli(['live', await write(2), '--out', out, '--slots', '4']);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  const [, best] = /the best trial is (sums-[34]) with a held-out loss of [\d.]+; its adapter is /.exec(first.stdout)!;
  expect(existsSync(join(out, 'jobs', best!, 'adapter', 'adapter_model.safetensors'))).toBe(true);
  const table = await readFile(join(out, 'trials-sums.csv'), 'utf8');
  const rows = parse(table, { columns: true }) as unknown as Readonly<Record<string, string>>[];
  expect(rows).toHaveLength(4);
  expect(rows[0]).toMatchObject({ trial: best, 'optimizer.learningRate': '0.01', outcome: 'completed', adapterIteration: '6' });
  expect(rows.map(({ heldoutLoss }) => Number(heldoutLoss))).toEqual(rows.map(({ heldoutLoss }) => Number(heldoutLoss)).toSorted((a, b) => a - b));
  expect(rows.at(-1)).toMatchObject({ outcome: 'stopped', adapterIteration: '2' });
  const curves = await readFile(join(out, 'losses.csv'), 'utf8');
  expect(curves).toContain(`${best},6,heldout,`);

  const again = await runCli(['live', await write(2), '--out', out, '--slots', '4']);
  expect(again.code).toBe(0);
  expect(again.stdout).toContain(`the best trial is ${best}`);
  expect(await readFile(join(out, 'trials-sums.csv'), 'utf8')).toBe(table);
  expect(await readFile(join(out, 'losses.csv'), 'utf8')).toBe(curves);

  const other = await runCli(['live', await write(4), '--out', out]);
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('job sums-1: has other settings here') as unknown });
}, 120_000);
