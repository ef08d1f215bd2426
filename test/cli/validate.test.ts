import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

describe('mlora validate', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlora-validate-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('prints a line per measure and writes nothing for some of the data sets', async () => {
    const { code, stdout } = await runCli(['validate', 'pipeline-passes'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^pipeline-passes +1F1B bubble rate .* 6 of 6 +pass$/m);
    expect(await readdir(folder)).toEqual([]);
  });

  test('writes the scorecard where --out says', async () => {
    const { code } = await runCli(['validate', 'pipeline-passes', '--out', 'card'], folder);
    expect(code).toBe(0);
    expect((await readdir(join(folder, 'card'))).sort()).toEqual(['points.csv', 'scorecard.csv', 'scorecard.json', 'scorecard.md']);
    expect(JSON.parse(await readFile(join(folder, 'card', 'scorecard.json'), 'utf8'))).toMatchObject([{ name: 'pipeline-passes', constants: [] }]);
  });

  test('names every unknown data set, with the nearest known one', async () => {
    const { code, stderr } = await runCli(['validate', 'pipeline-pass', 'x'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('"pipeline-pass" is no data set; did you mean pipeline-passes?');
    expect(stderr).toContain('"x" is no data set; there are pipeline-passes');
  });
});
