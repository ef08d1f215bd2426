import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const SMALL = `
name: small
model: TinyLlama-1.1B
cluster: 4xA6000-pcie
schedule: { type: 1f1b, microbatches: 4 }
defaults:
  adapter: { rank: 8 }
  batchSize: 4
  iterations: 3
  data: { lengths: { type: fixed, length: 128 }, rows: 16 }
jobs: [{ name: a }, { name: b }]
`;

interface Explanation {
  readonly source: string;
  readonly makespanNs: number;
  readonly bubbleRatio: number;
  readonly windowNs: number;
  readonly devices: readonly { readonly idleNs: number; readonly byCause: Readonly<Record<string, number>> }[];
  readonly total: { readonly idleNs: number; readonly byCause: Readonly<Record<string, number>> };
  readonly whatIf: { readonly makespanNs: number; readonly changes: readonly { readonly causes: readonly string[]; readonly idleShare: number; readonly gainNs: number | null }[] };
  readonly criticalPath?: readonly { readonly op: string; readonly startNs: number; readonly endNs: number; readonly waitNs: number }[];
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-explain-'));
  await writeFile(join(folder, 'small.yaml'), SMALL);
  await runCli(['simulate', 'small.yaml', '--out', 'result'], folder);
});
afterAll(() => rm(folder, { recursive: true }));

const explain = async (...args: readonly string[]): Promise<Explanation> => {
  const { code, stdout, stderr } = await runCli(['explain', ...args, '--json'], folder);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Explanation;
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('mlora explain', () => {
  test('splits every nanosecond of every device, and says what each cause costs', async () => {
    const { devices, total, windowNs, bubbleRatio, whatIf, makespanNs } = await explain('small.yaml');
    for (const { idleNs, byCause } of [...devices, total]) expect(sum(Object.values(byCause))).toBe(idleNs);
    expect(sum(devices.map(({ idleNs }) => idleNs))).toBe(total.idleNs);
    expect(total.idleNs / (windowNs * devices.length)).toBeCloseTo(bubbleRatio, 9);
    expect(total.byCause.ownStep).toBeGreaterThan(0);
    expect(total.byCause.otherStep).toBeGreaterThan(0);
    expect(whatIf.makespanNs).toBe(makespanNs);
    const steps = whatIf.changes.find(({ causes }) => causes.includes('ownStep'))!;
    expect(steps.gainNs).toBeGreaterThan(0.2 * makespanNs);
    expect(steps.idleShare).toBeGreaterThan(0.2);
  });

  test('gives the same split for an experiment, its plan and its trace', async () => {
    const [experiment, plan, trace] = await Promise.all([explain('small.yaml'), explain('result/plan.json'), explain('result/trace.json')]);
    expect(plan.devices).toEqual(experiment.devices);
    expect(trace.devices).toEqual(experiment.devices);
    expect(trace.whatIf.makespanNs / trace.makespanNs).toBeCloseTo(1, 3);
  });

  test('--critical-path lists the spans from start to end', async () => {
    const { criticalPath, makespanNs } = await explain('small.yaml', '--critical-path');
    expect(sum(criticalPath!.map(({ startNs, endNs, waitNs }) => endNs - startNs + waitNs))).toBe(makespanNs);
    const { stdout } = await runCli(['explain', 'small.yaml', '--critical-path'], folder);
    expect(stdout).toContain('idle time by cause');
    expect(stdout).toContain("waiting for its own step, waiting for another adapter's step: no iteration waits for a step");
    expect(stdout).toMatch(/critical path: \d+ spans; .*compute/);
    expect(stdout).toMatch(/^0F0 .* compute /m);
  });

  test('refuses what is no experiment, plan or trace with exit code 2', async () => {
    await writeFile(join(folder, 'foreign.json'), '{"traceEvents":[]}');
    await writeFile(join(folder, 'broken.json'), '{');
    for (const [path, message] of [
      ['foreign.json', 'only traces written by mlora can be read'],
      ['broken.json', 'is no plan file'],
      ['nowhere.yaml', 'cannot be read'],
    ] as const) {
      const { code, stdout, stderr } = await runCli(['explain', path], folder);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(message);
    }
  });
});
