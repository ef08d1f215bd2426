import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GPU_PROFILES } from '../../sim/profiles/gpu-profiles.ts';
import { formatProfile } from '../../sim/profile-file.ts';
import { KNOWN_PROFILE } from '../sim/known-profile.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = 'experiments/examples/batchlora-8-adapters.yaml';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-profile-'));
});
afterAll(() => rm(folder, { recursive: true }));

const makespanOf = (stdout: string): number => (JSON.parse(stdout) as { makespanSeconds: number }).makespanSeconds;

describe('--profile', () => {
  test('replaces the times of the devices', async () => {
    const path = join(folder, 'profile.json');
    await writeFile(path, formatProfile(KNOWN_PROFILE));
    const shipped = await runCli(['simulate', EXAMPLE, '--json']);
    const profiled = await runCli(['simulate', EXAMPLE, '--json', '--profile', path]);
    expect(makespanOf(profiled.stdout)).toBeGreaterThan(10 * makespanOf(shipped.stdout));
  });

  test('that is broken is bad input, with every problem and its path', async () => {
    const path = join(folder, 'broken.json');
    await writeFile(path, '{"kind": "calibrated", "name": ""}');
    const { code, stderr } = await runCli(['simulate', EXAMPLE, '--profile', path]);
    expect(code).toBe(2);
    for (const key of ['name', 'nsPer', 'contextBytes', 'link']) expect(stderr).toContain(`: ${key}: `);
  });

  test('whose tables do not cover a shape is used with a warning that says what was taken instead', async () => {
    const path = join(folder, 'narrow.json');
    const { gemmTable, ...profile } = GPU_PROFILES.get('A40')!;
    const columns = gemmTable!.tokens.filter((tokens) => tokens <= 256).length;
    const narrow = { ...gemmTable!, tokens: gemmTable!.tokens.slice(0, columns), products: gemmTable!.products.map((product) => product.slice(0, columns + 2)) };
    await writeFile(path, formatProfile({ ...profile, gemmTable: narrow }));
    const { code, stderr } = await runCli(['simulate', 'experiments/examples/unequal-lengths.yaml', '--profile', path]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^mlora: extrapolated: \S+: products of \d+ tokens run at the rate measured for 256, the most in the table/m);
  });
});
