import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRight } from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCHEDULE_NAMES } from '../../core/experiment/schedule.ts';
import { readChromeTrace } from '../../core/trace/read-chrome-trace.ts';
import { DARK } from '../../viz/theme.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = 'experiments/examples/batchlora-8-adapters.yaml';

const SMALL = `
name: small
model: TinyLlama-1.1B
cluster: 4xA6000-pcie
schedule: { type: lorapp, microbatches: 2 }
defaults:
  adapter: { rank: 8 }
  batchSize: 4
  iterations: 2
  data: { lengths: { type: fixed, length: 128 }, rows: 16 }
jobs:
  - { name: a }
  - { name: b, adapter: { rank: 4 } }
`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-cli-'));
  await writeFile(join(folder, 'small.yaml'), SMALL);
});
afterAll(() => rm(folder, { recursive: true }));

const experiment = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return name;
};

describe('mlora simulate', () => {
  test('draws its pictures as wide and as dark as it is told, as SVG and as PNG', async () => {
    await runCli(['simulate', 'small.yaml', '--out', 'drawn', '--width', '480', '--theme', 'dark'], folder);
    const svg = await readFile(join(folder, 'drawn', 'timeline.svg'), 'utf8');
    const png = await readFile(join(folder, 'drawn', 'timeline.png'));
    expect(svg).toMatch(/^<svg [^>]*width="480"/);
    expect(svg).toContain(DARK.paper);
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBe(3 * 480);
    expect(png.readUInt32BE(20)).toBe(3 * Number(/height="(\d+)"/.exec(svg)![1]));
  });

  test('--json prints one object with the agreed keys and nothing else', async () => {
    const { code, stdout, stderr } = await runCli(['simulate', EXAMPLE, '--json']);
    const summary = JSON.parse(stdout) as Record<string, unknown> & { devices: object[]; jobs: object[] };
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(Object.keys(summary).sort()).toEqual(
      ['bubbleRatio', 'devices', 'jobs', 'makespanSeconds', 'opCount', 'outOfMemory', 'schedule', 'tokensPerSecond', 'wallSeconds'],
    );
    expect(summary.outOfMemory).toBeNull();
    expect(Object.keys(summary.devices[0]!)).toEqual(['name', 'peakMemoryBytes', 'reservedMemoryBytes', 'capacityBytes', 'busySeconds']);
    expect(summary.jobs).toHaveLength(8);
    expect(Object.keys(summary.jobs[0]!)).toEqual(['name', 'completionSeconds']);
  });

  test('says on the error stream which products were never measured, and still predicts', async () => {
    const name = await experiment('large.yaml', SMALL.replace('length: 128', 'length: 4096').replace('model: TinyLlama-1.1B', 'model: Llama-2-7B\nprecision: bf16\nattention: flash'));
    const { code, stdout, stderr } = await runCli(['simulate', name, '--json'], folder);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('makespanSeconds');
    expect(stderr).toMatch(/^mlora: extrapolated: RTX A6000: products of 8192 tokens run at the rate measured for 4096/m);
  });

  test('refuses a profile with missing and impossible figures, all at once', async () => {
    await writeFile(join(folder, 'profile.json'), JSON.stringify({ kind: 'roofline', name: 'x', memoryEfficiency: { value: -1, origin: 'guess', source: 's' } }));
    const { code, stderr } = await runCli(['simulate', 'small.yaml', '--profile', 'profile.json'], folder);
    expect(code).toBe(2);
    for (const part of ['memoryEfficiency.value: is -1', 'launch: is missing', 'gemmEfficiency: is missing']) expect(stderr).toContain(part);
  });

  test('gives the same figures for an experiment and for its printed plan', async () => {
    const plan = await runCli(['plan', 'small.yaml'], folder);
    await writeFile(join(folder, 'plan.json'), plan.stdout);
    const [fromExperiment, fromPlan] = await Promise.all([
      runCli(['simulate', 'small.yaml', '--json'], folder),
      runCli(['simulate', 'plan.json', '--json'], folder),
    ]);
    const withoutWall = (text: string): unknown => ({ ...(JSON.parse(text) as object), wallSeconds: 0 });
    expect(withoutWall(fromPlan.stdout)).toEqual(withoutWall(fromExperiment.stdout));
  });

  test('--out writes plan, settings, a trace that reads back, timeline and report', async () => {
    const { code } = await runCli(['simulate', 'small.yaml', '--out', 'result'], folder);
    expect(code).toBe(0);
    expect((await readdir(join(folder, 'result'))).sort()).toEqual(
      ['experiment.yaml', 'plan.json', 'report.html', 'run.json', 'summary.json', 'timeline.png', 'timeline.svg', 'trace.json'],
    );
    const trace = readChromeTrace(await readFile(join(folder, 'result', 'trace.json'), 'utf8'));
    expect(isRight(trace)).toBe(true);
    const again = await runCli(['simulate', 'result/experiment.yaml', '--json'], folder);
    expect(again.code).toBe(0);
  });

  test('refuses an edited plan that steps early, and marks the cell', async () => {
    const { stdout } = await runCli(['plan', 'small.yaml'], folder);
    const broken = stdout.replace(/(\d+B\d+) (\d+SEND_B\d+ )?(\d+STEP0\.0)/, '$3 $1 $2');
    expect(broken).not.toBe(stdout);
    await writeFile(join(folder, 'broken.json'), broken);
    const { code, stderr } = await runCli(['simulate', 'broken.json'], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/step: steps before \d+B\d+, a backward of its iteration/);
    expect(stderr).toMatch(/«\d+STEP0\.0»/);
  });

  test('answers "does not fit" with device, class and bytes, and exit code 3', async () => {
    const path = await experiment('large.yaml', SMALL.replace('TinyLlama-1.1B', 'Llama-2-70B'));
    const { code, stdout, stderr } = await runCli(['simulate', path, '--json'], folder);
    const { outOfMemory } = JSON.parse(stdout) as { outOfMemory: { device: string; class: string; bytes: number } };
    expect(code).toBe(3);
    expect(stderr).toMatch(/does not fit: \S+ needs [\d.]+ GiB and has [\d.]+ GiB; the largest part is baseWeights/);
    expect(outOfMemory.class).toBe('baseWeights');
    expect(outOfMemory.bytes).toBeGreaterThan(1e9);
  });
});

describe('bad input', () => {
  test('everything wrong with a file is said at once, with path, value and the nearest known name', async () => {
    const text = SMALL.replace('microbatches', 'microbatchs').replace('rank: 4', 'rank: 100000').replace('4xA6000-pcie', '4xA600-pcie');
    const { code, stdout, stderr } = await runCli(['simulate', await experiment('wrong.yaml', text)], folder);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/schedule\.microbatchs.*microbatches/);
    expect(stderr).toMatch(/jobs\[1\]\.adapter\.rank.*100000/);
    expect(stderr).toMatch(/cluster.*4xA6000-pcie/);
  });

  test('a cluster whose links do not connect its devices, or have no or endless bandwidth, is refused with the link', async () => {
    const cluster = 'cluster: { name: apart, machines: [{ gpu: RTX A6000, count: 2 }, { gpu: RTX A6000 }] }';
    const apart = await runCli(['simulate', await experiment('apart.yaml', SMALL.replace('cluster: 4xA6000-pcie', cluster))], folder);
    expect({ code: apart.code, stdout: apart.stdout }).toEqual({ code: 2, stdout: '' });
    expect(apart.stderr).toContain('cluster.network: is missing; nothing connects the 2 machines');
    expect(apart.stderr).toContain('cluster.machines[0].interconnect: is missing; nothing connects the 2 devices');
    for (const bandwidth of ['-1 GB/s', '0 GB/s', '.inf', '1e999']) {
      const link = `cluster: { name: slow, machines: [{ gpu: RTX A6000, count: 4, interconnect: { type: pcie, bandwidth: ${bandwidth}, latency: 1 us } }] }`;
      const { code, stderr } = await runCli(['simulate', await experiment('slow.yaml', SMALL.replace('cluster: 4xA6000-pcie', link))], folder);
      expect({ code, bandwidth }).toEqual({ code: 2, bandwidth });
      expect(stderr).toContain('cluster.machines[0].interconnect.bandwidth: ');
    }
  });

  test('a missing experiment file is named', async () => {
    const { code, stderr } = await runCli(['simulate', 'nowhere.yaml'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere.yaml: cannot be read');
  });

  test('an output folder that cannot be written is reported before anything runs', async () => {
    await writeFile(join(folder, 'occupied'), '');
    const { code, stderr } = await runCli(['simulate', 'small.yaml', '--out', 'occupied/result'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('occupied/result cannot be written');
  });

  test('training without a model folder says what is missing', async () => {
    const { code, stderr } = await runCli(['train', 'small.yaml', '--out', 'trained'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('training needs a model folder');
  });

  test('an unknown option is refused with the usage', async () => {
    const { code, stderr } = await runCli(['simulate', 'small.yaml', '--jsn'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('--json');
  });
});

describe('mlora plan and compare', () => {
  test('plan --text prints one line of ops per device', async () => {
    const { stdout } = await runCli(['plan', 'small.yaml', '--text'], folder);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^\S+: 0LOAD0 0F0 0SEND_F0 /);
  });

  test('compare puts every schedule into one table', async () => {
    const { code, stdout } = await runCli(['compare', 'small.yaml'], folder);
    expect(code).toBe(0);
    for (const name of [...SCHEDULE_NAMES, 'lorapp, greedy release', 'lorapp, gpipe order', 'fsdp, as released']) {
      expect(stdout).toMatch(new RegExp(`^${name}  `, 'm'));
    }
  });

  test('compare takes some schedules only, and says below the table why one cannot be run', async () => {
    const { code, stdout } = await runCli(['compare', 'small.yaml', '--schedules', 'lorapp,zb-v'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^zb-v  /m);
    expect(stdout).not.toMatch(/^fsdp/m);
    const wrong = await runCli(['compare', 'small.yaml', '--schedules', 'fspd'], folder);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean fsdp?')]);
  });
});
