import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../../core/job.ts';
import { formatExecError, type ExecError } from '../../../exec/exec-error.ts';
import { fingerprintJobs } from '../../../exec/run/job-fingerprint.ts';
import { iterationsDone } from '../../../exec/run/job-records.ts';
import { readJobProgress } from '../../../exec/run/read-progress.ts';
import { train } from '../../../exec/run/train.ts';
import type { AdapterResult, ProgressEvent, TrainOptions } from '../../../exec/run/train-options.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';
import { demoOptions } from './demo-run.ts';

const RANK_ENTRY = fileURLToPath(new URL('../../../dist/exec/rank-main.js', import.meta.url));
const FAULTY_RANK = fileURLToPath(new URL('faulty-rank.mjs', import.meta.url));
const SYSTEM_TEMPORARY = tmpdir();
const DISK_BYTES = 600_000;

/** Everything a run puts into the temporary folder goes below `sockets`, so that what it leaves behind can be seen. */
let temporary = '';
beforeAll(() => {
  if (!existsSync(RANK_ENTRY)) throw new Error('build the package first: npm run build');
});
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'mlora-test-'));
  await mkdir(join(temporary, 'sockets'));
  vi.stubEnv('TMPDIR', join(temporary, 'sockets'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true });
});

const iterations = (count: number): Pick<Job, 'duration'> => ({ duration: { kind: 'iterations', iterations: count } });

const JOBS: readonly Job[] = [
  demoJob('sums', { seed: 1, ...iterations(8) }),
  demoJob('dates', { seed: 4, adapter: { ...demoJob('dates').adapter, dropout: 0.1 }, optimizer: { ...demoJob('dates').optimizer, maxGradientNorm: 0.5 }, ...iterations(7) }),
];

const optionsIn = async (outputFolder: string | null, changes: Partial<TrainOptions> = {}): Promise<TrainOptions> => {
  const options = await demoOptions(JOBS, 2, { evaluation: null, ranks: 'processes', rankEntry: RANK_ENTRY, outputFolder, ...changes });
  const fingerprints = await fingerprintJobs(options.jobs, demoModel(), MODEL_FOLDER);
  if (E.isLeft(fingerprints)) throw new Error('the shipped model is broken');
  return { ...options, checkpoints: { every: 1, keep: 3, fingerprints: fingerprints.right } };
};

const isAlive = (processId: number): boolean => {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
};

/** Runs to the failure it ends with; fails the test if a process or a socket is left. */
const failureOf = async (options: TrainOptions): Promise<ExecError> => {
  let processIds: readonly number[] = [];
  const onProgress = (event: ProgressEvent): void => {
    if (event.kind === 'started') processIds = event.processIds;
    options.onProgress(event);
  };
  const result = await train({ ...options, onProgress })();
  if (E.isRight(result)) throw new Error('expected the run to fail');
  expect(processIds).toHaveLength(2);
  expect(processIds.filter(isAlive)).toEqual([]);
  expect(await readdir(join(temporary, 'sockets'))).toEqual([]);
  return result.left;
};

const adaptersOf = async (options: TrainOptions): Promise<readonly AdapterResult['weights'][]> => {
  const result = await train(options)();
  if (E.isLeft(result)) throw new Error(formatExecError(result.left));
  return result.right.adapters.map(({ weights }) => weights);
};

/** What the run in a folder gives when it is resumed on sound ranks and a sound disk, and where it went on. */
const resumeIn = async (outputFolder: string) => {
  const options = await optionsIn(outputFolder, { ranks: 'tasks' });
  const progress = await readJobProgress(options.jobs, outputFolder, options.checkpoints!.fingerprints);
  if (E.isLeft(progress)) throw new Error(formatExecError(progress.left));
  const done = progress.right.map(iterationsDone);
  return { done, adapters: await adaptersOf({ ...options, progress: progress.right, plan: options.planFrom(done) }) };
};

let undisturbed: Promise<readonly AdapterResult['weights'][]> | null = null;

/** The folder resumes behind its start to the adapters of a run that nothing has disturbed. */
const expectSameAfterResume = async (outputFolder: string): Promise<void> => {
  const { done, adapters } = await resumeIn(outputFolder);
  expect(Math.max(...done)).toBeGreaterThan(0);
  expect(Math.min(...done)).toBeLessThan(7);
  undisturbed ??= optionsIn(null, { ranks: 'tasks' }).then(adaptersOf);
  expect(adapters).toEqual(await undisturbed);
};

describe('a rank that is killed', () => {
  it.each([0, 1])('ends the run with its name when it is rank %i, and resuming gives the adapters of an undisturbed run', async (rank) => {
    const outputFolder = join(temporary, 'out');
    let processIds: readonly number[] = [];
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'started') processIds = event.processIds;
      if (event.kind === 'iteration' && event.iteration === 4) process.kill(processIds[rank]!, 'SIGKILL');
    };
    const error = await failureOf(await optionsIn(outputFolder, { onProgress }));
    expect(error).toMatchObject({ kind: 'rankDied', rank });
    expect(formatExecError(error)).toMatch(new RegExp(`^rank ${rank} died: it was killed \\(SIGKILL\\).*--resume`, 's'));
    await expectSameAfterResume(outputFolder);
  }, 60_000);
});

describe('a connection between two ranks', () => {
  it.each([0, 1])('that is cut in the middle of a tensor for rank %i ends the run with its ends, and resuming gives the same adapters', async (rank) => {
    vi.stubEnv('MLORA_TEST_FAULT', `cut ${rank}`);
    const outputFolder = join(temporary, 'out');
    const error = await failureOf(await optionsIn(outputFolder, { rankEntry: FAULTY_RANK }));
    expect(error).toEqual({ kind: 'connectionLost', rank: 1 - rank, peer: rank });
    expect(formatExecError(error)).toMatch(new RegExp(`^rank ${1 - rank} has lost its connection to rank ${rank}\\. .*--resume`));
    await expectSameAfterResume(outputFolder);
  }, 60_000);

  it('that changes a bit ends the run before anything is computed with it', async () => {
    vi.stubEnv('MLORA_TEST_FAULT', 'flip 1');
    const outputFolder = join(temporary, 'out');
    const error = await failureOf(await optionsIn(outputFolder, { rankEntry: FAULTY_RANK }));
    expect(error).toMatchObject({ kind: 'rankFailed', rank: 1 });
    expect(formatExecError(error)).toContain('a frame whose checksum does not match its bytes');
    await expectSameAfterResume(outputFolder);
  }, 60_000);
});

/** Runs `use` in a file system that is full before a run is through; rejects where this user may mount none. */
const withTinyDisk = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(SYSTEM_TEMPORARY, 'mlora-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', folder], { stdio: 'ignore' });
    try {
      await use(folder);
    } finally {
      execFileSync('umount', [folder]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const mayMount = await withTinyDisk(() => Promise.resolve()).then(
  () => true,
  () => false,
);

describe('a disk', () => {
  it.skipIf(!mayMount)('that runs full ends the run with the folder, keeps whole checkpoints only, and resuming elsewhere gives the same adapters', () =>
    withTinyDisk(async (disk) => {
      const outputFolder = join(disk, 'out');
      const error = await failureOf(await optionsIn(outputFolder));
      expect(error).toMatchObject({ kind: 'writeFailed', folder: expect.stringContaining(join(outputFolder, 'checkpoints')) as unknown });
      expect(formatExecError(error)).toMatch(/cannot be written any more: ENOSPC: no space left on device.*--resume/s);
      expect((await readdir(outputFolder, { recursive: true })).filter((name) => name.includes('.partial'))).toEqual([]);
      const roomy = join(temporary, 'roomy');
      await cp(outputFolder, roomy, { recursive: true });
      await expectSameAfterResume(roomy);
    }), 60_000);
});
