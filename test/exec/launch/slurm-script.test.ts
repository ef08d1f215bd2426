import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arrayScript, quote, trainingScript } from '../../../exec/launch/slurm-script.ts';

const OPTIONS = { name: 'mlora', folder: '/runs/a b', command: ['node', 'main.js', 'train', "it's.yaml"], arguments: ['--partition=gpu'] };

describe('a training script', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'mlora-test-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the script with an srun that ends with a code, and tells whether the job was put back into the queue. */
  const run = (srunCode: number, restarts: string | undefined): { readonly code: number; readonly isRequeued: boolean } => {
    const requeued = join(folder, 'requeued');
    writeFileSync(join(folder, 'srun'), `#!/bin/bash\nexit ${srunCode}\n`);
    writeFileSync(join(folder, 'scontrol'), `#!/bin/bash\necho "$@" > ${requeued}\n`);
    writeFileSync(join(folder, 'script'), trainingScript(OPTIONS, { tasks: 4, nodes: 2, tasksPerNode: 2 }));
    for (const name of ['srun', 'scontrol', 'script']) chmodSync(join(folder, name), 0o755);
    const env = { PATH: `${folder}:${process.env.PATH}`, SLURM_JOB_ID: '17', ...(restarts === undefined ? {} : { SLURM_RESTART_COUNT: restarts }) };
    let code = 0;
    try {
      execFileSync(join(folder, 'script'), { env });
    } catch (error) {
      code = (error as { readonly status: number }).status;
    }
    try {
      return { code, isRequeued: readFileSync(requeued, 'utf8') === 'requeue 17\n' };
    } catch {
      return { code, isRequeued: false };
    }
  };

  it.each([
    [0, undefined, { code: 0, isRequeued: false }],
    [2, undefined, { code: 2, isRequeued: false }],
    [75, undefined, { code: 0, isRequeued: true }],
    [137, '2', { code: 0, isRequeued: true }],
    [137, '3', { code: 137, isRequeued: false }],
    [130, '40', { code: 0, isRequeued: true }],
  ])('whose step ends with %i after %s restarts gives %o', (code, restarts, expected) => {
    expect(run(code, restarts)).toEqual(expected);
  });

  it("asks for a task per device and puts the user's options after its own", () => {
    const lines = trainingScript(OPTIONS, { tasks: 3, nodes: 2, tasksPerNode: null }).split('\n');
    expect(lines.filter((line) => line.startsWith('#SBATCH')).slice(-3)).toEqual(['#SBATCH --nodes=2', '#SBATCH --ntasks=3', '#SBATCH --partition=gpu']);
    expect(lines).toContain(`srun --kill-on-bad-exit=0 node main.js train 'it'\\''s.yaml'`);
  });
});

describe('a script for an array', () => {
  it('gives each task its part', () => {
    expect(arrayScript(OPTIONS, 8)).toContain('#SBATCH --array=1-8\n');
    expect(arrayScript(OPTIONS, 8)).toMatch(/--part "\$SLURM_ARRAY_TASK_ID\/8"\n$/);
  });
});

describe('a word of a script', () => {
  it.each(['a b', '$HOME', '`x`', '', "it's", 'plain-1.0'])('%j is what the shell reads', (word) => {
    expect(execFileSync('bash', ['-c', `printf %s ${quote(word)}`], { encoding: 'utf8' })).toBe(word);
  });
});
