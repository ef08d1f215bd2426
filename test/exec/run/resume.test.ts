import { writeFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../../core/job.ts';
import { validate } from '../../../core/plan/validate.ts';
import { formatExecError, type ExecError } from '../../../exec/exec-error.ts';
import { fingerprintJobs } from '../../../exec/run/job-fingerprint.ts';
import { iterationsDone, type JobProgress } from '../../../exec/run/job-records.ts';
import { readJobProgress } from '../../../exec/run/read-progress.ts';
import { train } from '../../../exec/run/train.ts';
import type { AdapterResult, ProgressEvent, TrainOptions, TrainResult } from '../../../exec/run/train-options.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';
import { demoOptions } from './demo-run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const iterations = (count: number): Pick<Job, 'duration'> => ({ duration: { kind: 'iterations', iterations: count } });

/** Unlike adapters, one with dropout and clipping, one that is finished early; two are evaluated on the way. */
const JOBS: readonly Job[] = [
  demoJob('sums', { seed: 1, evaluate: { every: 2 }, ...iterations(9) }),
  demoJob('dates', {
    seed: 2,
    evaluate: { every: 3 },
    optimizer: { ...demoJob('dates').optimizer, maxGradientNorm: 0.5 },
    adapter: { ...demoJob('dates').adapter, rank: 8, dropout: 0.1, targetModules: ['k_proj', 'o_proj', 'up_proj'] },
    ...iterations(7),
  }),
  demoJob('opposites', { seed: 3, ...iterations(2) }),
];

const optionsFor = async (outputFolder: string, jobs = JOBS, groups = 3): Promise<TrainOptions> => {
  const options = await demoOptions(jobs, 2, { outputFolder, schedule: { groups } });
  const fingerprints = await fingerprintJobs(options.jobs, demoModel(), MODEL_FOLDER);
  if (E.isLeft(fingerprints)) throw new Error('the shipped model is broken');
  return { ...options, checkpoints: { every: 2, keep: 2, fingerprints: fingerprints.right } };
};

const attempt = (options: TrainOptions): Promise<E.Either<ExecError, TrainResult>> => train(options)();

const trained = async (options: TrainOptions): Promise<TrainResult> => {
  const result = await attempt(options);
  if (E.isLeft(result)) throw new Error(formatExecError(result.left));
  return result.right;
};

const progressIn = async ({ jobs, outputFolder, checkpoints }: TrainOptions): Promise<readonly JobProgress[]> => {
  const progress = await readJobProgress(jobs, outputFolder!, checkpoints!.fingerprints);
  if (E.isLeft(progress)) throw new Error(formatExecError(progress.left));
  return progress.right;
};

const resumed = async (options: TrainOptions): Promise<TrainOptions> => {
  const progress = await progressIn(options);
  return { ...options, progress, plan: options.planFrom(progress.map(iterationsDone)) };
};

/** Sends this process a signal when an adapter has reached an iteration. */
const signalAt =
  (adapter: string, iteration: number) =>
  (event: ProgressEvent): void => {
    if (event.kind === 'iteration' && event.adapter === adapter && event.iteration === iteration) process.emit('SIGINT');
  };

describe('an interrupted run', () => {
  it.each([1, 3])('ends at an iteration end, and resumed gives the adapters of an undisturbed one bit for bit, in %i groups', async (groups) => {
    const undisturbed = await trained(await optionsFor(join(folder, `undisturbed-${groups}`), JOBS, groups));
    const before = memory().numTensors;
    const options = await optionsFor(join(folder, `interrupted-${groups}`), JOBS, groups);
    const first = await attempt({ ...options, onProgress: signalAt('sums', 4) });
    expect(first).toEqual(E.left({ kind: 'interrupted', by: 'SIGINT' }));
    const next = await resumed(options);
    const done = next.progress!.map(iterationsDone);
    expect(done[0]).toBeGreaterThanOrEqual(5);
    expect(done[0]).toBeLessThan(9);
    expect(done[2]).toBe(2);
    expect(validate(next.plan)).toEqual([]);
    const second = await trained(next);
    expect(second.adapters.map(({ weights }) => weights)).toEqual(undisturbed.adapters.map(({ weights }) => weights));
    const told = ({ losses, heldout, evaluations }: AdapterResult) => ({ losses, heldout, evaluations });
    expect(second.adapters.map(told)).toEqual(undisturbed.adapters.map(told));
    expect(second.adapters.map(({ evaluations }) => evaluations.map(({ iteration }) => iteration))).toEqual([[2, 4, 6, 8], [3, 6], []]);
    expect(memory().numTensors).toBe(before);
  }, 120_000);

  it('ends at once on a second signal, and goes on from the checkpoints written until then', async () => {
    const options = await optionsFor(join(folder, 'twice'));
    const undisturbed = await trained(await optionsFor(join(folder, 'twice-undisturbed')));
    const onProgress = (event: ProgressEvent): void => {
      signalAt('sums', 5)(event);
      signalAt('sums', 5)(event);
    };
    expect(await attempt({ ...options, onProgress })).toMatchObject(E.left({ kind: 'interrupted' }));
    const next = await resumed(options);
    expect(next.progress!.map(iterationsDone)[0]! % 2).toBe(0);
    const second = await trained(next);
    expect(second.adapters.map(({ weights }) => weights)).toEqual(undisturbed.adapters.map(({ weights }) => weights));
  }, 120_000);

  it('keeps the latest checkpoints only', async () => {
    const options = await optionsFor(join(folder, 'kept'));
    await trained(options);
    expect((await readdir(join(folder, 'kept', 'checkpoints', 'sums'))).toSorted()).toEqual(['iteration-8', 'iteration-9']);
  }, 120_000);
});

describe('checkpoints of something else', () => {
  it('are refused with the folder that holds them, and stay as they are', async () => {
    const options = await optionsFor(join(folder, 'own'));
    await trained(options);
    await cp(join(folder, 'own'), join(folder, 'foreign'), { recursive: true });
    const changed = [demoJob('sums', { seed: 9, ...iterations(9) }), ...JOBS.slice(1, 2)];
    const other = await optionsFor(join(folder, 'foreign'), changed, 2);
    const refused = await readJobProgress(other.jobs, other.outputFolder!, other.checkpoints!.fingerprints);
    if (E.isRight(refused)) throw new Error('expected the checkpoints to be refused');
    const message = formatExecError(refused.left);
    expect(message).toContain(`${join(folder, 'foreign', 'checkpoints', 'opposites')}: belongs to no job of this experiment`);
    expect(message).toContain(`${join(folder, 'foreign', 'checkpoints', 'sums', 'iteration-9')}: belongs to another experiment`);
    expect(message).not.toContain('dates');
    expect((await readdir(join(folder, 'foreign', 'checkpoints'))).toSorted()).toEqual(['dates', 'opposites', 'sums']);
  }, 120_000);
});

describe('a job that diverges', () => {
  const diverging = demoJob('dates', { ...iterations(8), optimizer: { ...demoJob('dates').optimizer, learningRate: Infinity } });
  const jobs = [demoJob('sums', { seed: 1, ...iterations(8) }), diverging, demoJob('extract', { seed: 4, ...iterations(7) })];

  it.each([1, 3])('ends alone: the others get the same adapters as without it, in %i groups, the report names it', async (groups) => {
    const outputFolder = join(folder, `diverging-${groups}`);
    const events: ProgressEvent[] = [];
    const options = await optionsFor(outputFolder, jobs, groups);
    const { adapters } = await trained({ ...options, onProgress: (event) => events.push(event) });
    const without = await trained(await optionsFor(join(folder, `without-${groups}`), [jobs[0]!, jobs[2]!], 2));
    expect([adapters[0]!.weights, adapters[2]!.weights]).toEqual(without.adapters.map(({ weights }) => weights));
    expect([adapters[0]!.losses, adapters[2]!.losses]).toEqual(without.adapters.map(({ losses }) => losses));
    expect(adapters.map(({ failure }) => failure?.adapter)).toEqual([undefined, 'dates', undefined]);
    expect(events.filter(({ kind }) => kind === 'failed')).toEqual([{ kind: 'failed', adapter: 'dates', iteration: 1, loss: NaN }]);
    expect((await readdir(join(outputFolder, 'adapters'))).toSorted()).toEqual(['extract', 'sums']);
  }, 120_000);
});

describe('a folder that cannot be written any more', () => {
  it('ends the run with its name', async () => {
    const outputFolder = join(folder, 'full');
    const options = await optionsFor(outputFolder);
    // A file where the folder should be: the system refuses every write below it, as a full disk does.
    const onProgress = (event: ProgressEvent): void => {
      if (event.kind === 'started') writeFileSync(join(outputFolder, 'checkpoints'), '');
    };
    expect(await attempt({ ...options, onProgress })).toMatchObject(E.left({ kind: 'writeFailed' }));
    expect(await readdir(outputFolder)).toEqual(['checkpoints']);
  }, 60_000);
});
