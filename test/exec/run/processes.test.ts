import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { serialize } from 'node:v8';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatExecError, type ExecError } from '../../../exec/exec-error.ts';
import { train } from '../../../exec/run/train.ts';
import type { ProgressEvent, TrainOptions } from '../../../exec/run/train-options.ts';
import { demoJob } from '../demo.ts';
import { demoOptions } from './demo-run.ts';

const RANK_ENTRY = fileURLToPath(new URL('../../../dist/exec/rank-main.js', import.meta.url));
const COORDINATOR = fileURLToPath(new URL('interrupted-run.mjs', import.meta.url));

/** Everything a run puts into the temporary folder goes here, so that what it leaves behind can be seen. */
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

const socketFolders = (): Promise<readonly string[]> => readdir(join(temporary, 'sockets'));

const isAlive = (processId: number): boolean => {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
};

/** Waits until a condition holds; the test's own time limit ends it otherwise. */
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await setTimeout(20);
};

const processOptions = (changes: Partial<TrainOptions> = {}): Promise<TrainOptions> =>
  demoOptions([demoJob('sums'), demoJob('dates', { seed: 4 })], 2, { evaluation: null, ranks: 'processes', rankEntry: RANK_ENTRY, ...changes });

/** More iterations than any test waits for. */
const endlessOptions = async (): Promise<TrainOptions> => {
  const endless = { duration: { kind: 'iterations', iterations: 2000 } } as const;
  return demoOptions([demoJob('sums', endless), demoJob('dates', endless)], 2, {
    evaluation: null,
    ranks: 'processes',
    rankEntry: RANK_ENTRY,
  });
};

describe('ranks as processes', () => {
  it('train exactly what tasks of one process train, and leave no process and no socket', async () => {
    let processIds: readonly number[] = [];
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'started') processIds = event.processIds;
    };
    const apart = await train(await processOptions({ onProgress }))();
    const together = await train(await processOptions({ ranks: 'tasks' }))();
    if (E.isLeft(apart) || E.isLeft(together)) throw new Error('both runs succeed');
    expect(apart.right.adapters).toEqual(together.right.adapters);
    expect(new Set(processIds).size).toBe(2);
    expect(processIds.some(isAlive)).toBe(false);
    expect(await socketFolders()).toEqual([]);
  }, 60_000);

  it('end the run when one of them hangs, which is named, and leave no process', async () => {
    let processIds: readonly number[] = [];
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'started') processIds = event.processIds;
      if (event.kind === 'iteration' && event.iteration === 2) process.kill(processIds[1]!, 'SIGSTOP');
    };
    const result = await train({ ...(await endlessOptions()), onProgress, patienceSeconds: 3 })();
    expect(result).toMatchObject(E.left({ kind: 'rankFailed', rank: 1 }));
    expect(E.isLeft(result) && formatExecError(result.left)).toContain('it has not answered for 3 s');
    expect(processIds.some(isAlive)).toBe(false);
    expect(await socketFolders()).toEqual([]);
  }, 60_000);

  it('end the run with the last words of one that cannot start', async () => {
    const rankEntry = join(temporary, 'broken.mjs');
    await writeFile(rankEntry, 'console.error("no such library"); process.exit(3);');
    const result = await train(await processOptions({ rankEntry }))();
    expect(result).toMatchObject(E.left({ kind: 'rankDied', cause: 'it exited with code 3', lastWords: 'no such library\n' }));
    expect(await socketFolders()).toEqual([]);
  }, 60_000);
});

interface Coordinator {
  readonly child: ChildProcess;
  readonly processIds: readonly number[];
  /** How the run ended, by the coordinator's own word. */
  readonly ending: Promise<ExecError | null>;
}

/** A training run in a process of its own, some iterations in. */
const startCoordinator = async (): Promise<Coordinator> => {
  const file = join(temporary, 'options');
  const { onProgress: _, planFrom: __, ...options } = await endlessOptions();
  await writeFile(file, serialize(options));
  const child = spawn(process.execPath, [COORDINATOR, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let ids: readonly number[] = [];
  let end: (error: ExecError | null) => void;
  const ending = new Promise<ExecError | null>((resolve) => (end = resolve));
  const running = new Promise<void>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      const event = JSON.parse(line) as ProgressEvent | { kind: 'ended'; error: ExecError | null };
      if (event.kind === 'started') ids = event.processIds;
      if (event.kind === 'iteration') resolve();
      if (event.kind === 'ended') end(event.error);
    });
  });
  await running;
  return { child, processIds: ids, ending };
};

describe('a coordinator', () => {
  it('that is interrupted stops its ranks and says so', async () => {
    const { child, processIds, ending } = await startCoordinator();
    child.kill('SIGINT');
    expect(await ending).toEqual({ kind: 'interrupted', by: 'SIGINT' });
    await until(() => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
    expect(processIds.some(isAlive)).toBe(false);
    expect(await socketFolders()).toEqual([]);
  }, 60_000);

  it('that is killed takes its ranks and sockets with it', async () => {
    const { child, processIds } = await startCoordinator();
    child.kill('SIGKILL');
    await until(() => !processIds.some(isAlive));
    await until(async () => (await socketFolders()).length === 0);
  }, 60_000);
});
