import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
});
