import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAIN, runCli } from './run-cli.ts';

describe('mlora reproduce', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlora-reproduce-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('makes a figure on all cores, and again over what is there', async () => {
    for (const _ of ['first', 'second']) {
      const { code, stdout } = await runCli(['reproduce', '9'], folder);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^9 +8 GPUs, staggered release +all cells +64 /m);
    }
    const out = join(folder, 'runs', 'reproduce');
    expect((await readdir(out)).sort()).toEqual(['figure-09.csv', 'figure-09.png', 'figure-09.svg', 'report.html', 'summary.csv', 'summary.md']);
    expect(await readFile(join(out, 'report.html'), 'utf8')).toContain('Figure 9: Bubble ratio');
  }, 120_000);

  test('names every figure that there is not', async () => {
    const { code, stderr } = await runCli(['reproduce', '6', 'all'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('"6" is no figure; there are 7, 8, 9, 10, 11, 12, 13, 14, 15, 16');
    expect(stderr).toContain('"all" is no figure');
    expect(await readdir(folder)).toEqual([]);
  });

  test('Ctrl-C leaves the figures that are complete and ends with 130', async () => {
    const child = spawn(process.execPath, [MAIN, 'reproduce', '9', '13', '--out', 'out'], { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const isThere = async (): Promise<boolean> => (await readdir(join(folder, 'out')).catch((): string[] => [])).includes('figure-09.csv');
    while (child.exitCode === null && !(await isThere())) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr).toContain('interrupted by SIGINT; out has figures 9');
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(['figure-09.csv', 'figure-09.png', 'figure-09.svg']);
  }, 120_000);
});
