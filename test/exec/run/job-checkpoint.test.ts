import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listCheckpoints, readCheckpoint, writeCheckpoint } from '../../../exec/run/job-checkpoint.ts';
import type { JobProgress } from '../../../exec/run/job-records.ts';
import { watchSilence } from '../../../exec/run/silence-watch.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const progressAt = (iteration: number): JobProgress => ({
  state: { iteration, tensors: [{ name: 'a', shape: [2, 1], values: Float32Array.of(0.1, -iteration) }] },
  losses: Array.from({ length: iteration }, (_, i) => 1 / (i + 3)),
  evaluations: [{ iteration: 1, loss: 1.5 }],
  heldoutBefore: 2.5,
});

const IDENTITY = { fingerprint: 'f', keep: 2 };

const messageOf = async (iteration: number, fingerprint = 'f'): Promise<string> => {
  const read = await readCheckpoint(folder, iteration, fingerprint);
  return E.isLeft(read) ? read.left[0].message : 'it was read';
};

describe('a checkpoint', () => {
  it('is read back bit for bit, the latest ones only are kept, and no other file is left', async () => {
    for (const iteration of [2, 4, 10]) await writeCheckpoint(folder, progressAt(iteration), IDENTITY);
    expect(await listCheckpoints(folder)).toEqual([10, 4]);
    expect((await readdir(folder)).toSorted()).toEqual(['iteration-10', 'iteration-4']);
    expect(await readCheckpoint(folder, 10, 'f')).toEqual(E.right(progressAt(10)));
  });

  it('replaces one of the same iteration', async () => {
    await writeCheckpoint(folder, progressAt(3), IDENTITY);
    await writeCheckpoint(folder, { ...progressAt(3), heldoutBefore: null }, IDENTITY);
    expect(await readCheckpoint(folder, 3, 'f')).toEqual(E.right({ ...progressAt(3), heldoutBefore: null }));
  });

  it('is refused when it belongs to something else or is broken', async () => {
    await writeCheckpoint(folder, progressAt(1), IDENTITY);
    await writeCheckpoint(folder, progressAt(2), IDENTITY);
    expect(await messageOf(1, 'g')).toMatch(/^belongs to another experiment/);
    await truncate(join(folder, 'iteration-1', 'state.safetensors'), 20);
    expect(await messageOf(1)).toMatch(/header claims/);
    await writeFile(join(folder, 'iteration-2', 'checkpoint.json'), '{"version": 2}');
    expect(await messageOf(2)).toBe('is no checkpoint of this version');
    expect(await messageOf(5)).toMatch(/^cannot be read/);
  });
});

describe('the silence watch', () => {
  it('names the first rank that is not heard of for that long, once', () => {
    vi.useFakeTimers();
    try {
      const silent: number[] = [];
      const watch = watchSilence(2, 3, (rank) => silent.push(rank));
      for (let second = 0; second < 6; second++) {
        watch.heard(0);
        vi.advanceTimersByTime(1000);
      }
      expect(silent).toEqual([1]);
      watch.stop();
    } finally {
      vi.useRealTimers();
    }
  });
});
