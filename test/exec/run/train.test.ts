import { cp, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memory } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MEMORY_CLASS } from '../../../core/cost-model.ts';
import type { Job } from '../../../core/job.ts';
import { KIND } from '../../../core/plan/op.ts';
import { compareOrder } from '../../../core/trace/compare-order.ts';
import { readPeftFolder } from '../../../exec/adapter/peft-folder.ts';
import { formatExecError, type ExecError } from '../../../exec/exec-error.ts';
import { train } from '../../../exec/run/train.ts';
import type { AdapterResult, TrainOptions, TrainResult } from '../../../exec/run/train-options.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';
import { demoOptions } from './demo-run.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const trained = async (options: TrainOptions): Promise<TrainResult> => {
  const result = await train(options)();
  if (E.isLeft(result)) throw new Error(formatExecError(result.left));
  return result.right;
};

const refusal = async (options: TrainOptions): Promise<ExecError> => {
  const result = await train(options)();
  if (E.isRight(result)) throw new Error('expected the run to be refused');
  return result.left;
};

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** Largest ‖a − b‖ ÷ ‖b‖ over the tensors of two adapters. */
const weightError = (a: AdapterResult, b: AdapterResult): number =>
  Math.max(
    ...b.weights.map(({ name, values }) => {
      const other = a.weights.find((candidate) => candidate.name === name)!.values;
      return norm(values.map((value, i) => value - other[i]!)) / norm(values);
    }),
  );

const lossError = (a: AdapterResult, b: AdapterResult): number =>
  Math.max(...b.losses.map((loss, i) => Math.abs(loss - a.losses[i]!) / loss));

/** The most bytes of saved activations that a device held. */
const mostActivations = ({ trace: { memory: rows } }: TrainResult, device: number): number =>
  rows.bytes.reduce((most, bytes, row) => {
    const counts = rows.device[row] === device && rows.memoryClass[row] === MEMORY_CLASS.activations;
    return counts ? Math.max(most, bytes) : most;
  }, 0);

/** Four unlike adapters: ranks, targets, data, learning rates, dropout. */
const JOBS: readonly Job[] = [
  demoJob('sums', { seed: 1, duration: { kind: 'iterations', iterations: 4 } }),
  demoJob('dates', {
    seed: 2,
    adapter: { type: 'lora', rank: 8, alpha: 16, dropout: 0.1, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
    duration: { kind: 'iterations', iterations: 3 },
  }),
  demoJob('opposites', {
    seed: 3,
    adapter: { type: 'rslora', rank: 16, alpha: 16, dropout: 0, targetModules: ['gate_proj', 'up_proj', 'down_proj'] },
    batchSize: 6,
    duration: { kind: 'iterations', iterations: 4 },
  }),
  demoJob('extract', { seed: 4, batchSize: 3, duration: { kind: 'iterations', iterations: 3 } }),
];

describe('training through a pipeline', () => {
  it('gives every adapter the losses and weights it has alone on one device', async () => {
    const together = await trained(await demoOptions(JOBS, 2, { evaluation: null, schedule: { groups: 2 } }));
    for (const [i, job] of JOBS.entries()) {
      const alone = await trained(await demoOptions([job], 1, { evaluation: null }));
      expect(lossError(together.adapters[i]!, alone.adapters[0]!)).toBeLessThan(1e-6);
      expect(weightError(together.adapters[i]!, alone.adapters[0]!)).toBeLessThan(1e-6);
    }
  }, 120_000);

  it('gives the same adapter whether its mini-batches are split or not, up to the order of sums', async () => {
    const [job] = JOBS as [Job];
    const split = await trained(await demoOptions([job], 2, { evaluation: null, schedule: { microbatches: 3 } }));
    const whole = await trained(await demoOptions([job], 1, { evaluation: null, schedule: { microbatches: 1 } }));
    expect(lossError(split.adapters[0]!, whole.adapters[0]!)).toBeLessThan(1e-5);
    expect(weightError(split.adapters[0]!, whole.adapters[0]!)).toBeLessThan(1e-5);
  }, 60_000);

  it('gives the same adapters with less memory for activations where a stage computes them again', async () => {
    const kept = await demoOptions(JOBS, 2, { evaluation: null });
    const stages = kept.plan.stages.map((placement, stage) => ({ ...placement, recompute: stage === 0 }));
    const [before, after] = [await trained(kept), await trained({ ...kept, plan: { ...kept.plan, stages } })];
    expect(after.adapters).toEqual(before.adapters);
    expect(mostActivations(after, 0)).toBeLessThan(mostActivations(before, 0) / 3);
    expect(mostActivations(after, 1)).toBe(mostActivations(before, 1));
  }, 60_000);

  it('clips by the norm over all stages: every adapter is what it is alone on one device, and neighbours that do not clip too', async () => {
    const jobs = JOBS.map((job, i) => ({ ...job, optimizer: { ...job.optimizer, maxGradientNorm: i === 1 ? null : 0.05 } }));
    const unclipped = await trained(await demoOptions([JOBS[0]!], 1, { evaluation: null }));
    const together = await trained(await demoOptions(jobs, 4, { evaluation: null, schedule: { groups: 2 } }));
    for (const [i, job] of jobs.entries()) {
      const alone = await trained(await demoOptions([job], 1, { evaluation: null }));
      expect(weightError(together.adapters[i]!, alone.adapters[0]!)).toBeLessThan(1e-6);
    }
    expect(weightError(together.adapters[0]!, unclipped.adapters[0]!)).toBeGreaterThan(1e-4);
  }, 120_000);

  it.each(['lorapp', '1f1b', 'gpipe'] as const)('measures the held-out loss of exactly k iterations while it trains on, under %s', async (type) => {
    const lasting = (iterations: number) => ({ duration: { kind: 'iterations', iterations } as const });
    const [first, second] = JOBS as [Job, Job];
    const jobs = [{ ...first, ...lasting(5), evaluate: { every: 2 } }, { ...second, ...lasting(4), evaluate: { every: 3 } }];
    const schedule = type === 'lorapp' ? { groups: 1 } : { type };
    const { adapters } = await trained(await demoOptions(jobs, 2, { schedule }));
    expect(adapters.map(({ evaluations }) => evaluations.map(({ iteration }) => iteration))).toEqual([[2, 4], [3]]);
    const plain = await trained(await demoOptions(jobs.map((job) => ({ ...job, evaluate: null })), 2, { schedule }));
    expect(adapters.map(({ weights }) => weights)).toEqual(plain.adapters.map(({ weights }) => weights));
    const stopped = await trained(await demoOptions([{ ...first, ...lasting(4) }, { ...second, ...lasting(3) }], 2));
    const ends = stopped.adapters.map(({ heldout }) => heldout!.after);
    expect(adapters.map(({ evaluations }) => evaluations.at(-1)!.loss)).toEqual(ends);
  }, 120_000);

  it('runs the same ops in the same order on every device as the simulator, and leaves no tensor behind', async () => {
    const jobs = JOBS.map((job, i) => ({
      ...job,
      optimizer: { ...job.optimizer, maxGradientNorm: i === 1 ? null : 1 },
      evaluate: i === 2 ? null : { every: 1 },
      duration: { kind: 'iterations', iterations: 2 } as const,
    }));
    const options = await demoOptions(jobs, 4, { schedule: { extraInFlight: 1 } });
    const simulated = simulate(options.plan, constantCost({ forwardNs: 1000, backwardNs: 1200 }), constantCluster(4));
    if (E.isLeft(simulated)) throw new Error('the plan runs to its end');
    const before = memory().numTensors;
    const { trace } = await trained(options);
    expect(compareOrder(simulated.right, trace)).toEqual([]);
    expect(trace.spans.length).toBe(simulated.right.spans.length);
    expect(trace.spans.kind.includes(KIND.allReduceNorm)).toBe(true);
    expect(trace.plan.microbatches.forwardOnly.includes(1)).toBe(true);
    expect(memory().numTensors).toBe(before);
  }, 60_000);

  it('lowers the held-out loss and writes adapters that PEFT’s layout describes', async () => {
    const outputFolder = join(folder, 'out');
    const job = demoJob('sums', {
      optimizer: { ...demoJob('sums').optimizer, learningRate: 5e-3 },
      duration: { kind: 'iterations', iterations: 12 },
    });
    const { adapters, trace } = await trained(await demoOptions([job], 2, { outputFolder }));
    const [{ heldout, folder: written, weights }] = adapters as [AdapterResult];
    expect(heldout!.after).toBeLessThan(0.9 * heldout!.before);
    const read = await readPeftFolder(written!, demoModel());
    expect(read).toEqual(E.right({ adapter: job.adapter, weights: expect.arrayContaining([...weights]) as unknown }));
    expect(await readdir(join(outputFolder, 'adapters'))).toEqual(['sums']);
    expect(trace.source).toBe('measured');
  }, 60_000);
});

describe('a run that cannot succeed', () => {
  it('names every tensor that does not fit the model', async () => {
    const options = await demoOptions([demoJob('sums')], 2);
    const error = await refusal({ ...options, model: { ...demoModel(), intermediateSize: 256, layerCount: 5 } });
    expect(formatExecError(error).split('\n')).toHaveLength(20 + 1);
    expect(formatExecError(error)).toContain('model.layers.0.mlp.gate_proj.weight: has shape [512,192]');
  });

  it('says that the weights are cut short', async () => {
    const broken = join(folder, 'broken');
    await cp(MODEL_FOLDER, broken, { recursive: true });
    await truncate(join(broken, 'model.safetensors'), 100_000);
    const error = await refusal({ ...(await demoOptions([demoJob('sums')], 2)), modelFolder: broken });
    expect(error.kind).toBe('badInput');
    expect(formatExecError(error)).toContain('model.safetensors');
  });

  it('says before training that the output folder cannot be written, and makes nothing', async () => {
    await writeFile(join(folder, 'file'), '');
    const outputFolder = join(folder, 'file', 'out');
    const error = await refusal(await demoOptions([demoJob('sums')], 2, { outputFolder }));
    expect(error).toMatchObject({ kind: 'outputUnwritable', folder: outputFolder });
  });

  const diverging = demoJob('dates', {
    optimizer: { ...demoJob('dates').optimizer, learningRate: Infinity },
    duration: { kind: 'iterations', iterations: 5 },
  });

  it('leaves nothing behind when it ends before an adapter is trained', async () => {
    const parent = join(folder, 'parent');
    await mkdir(parent);
    const error = await refusal(await demoOptions([diverging], 1, { evaluation: null, outputFolder: join(parent, 'a', 'b') }));
    expect(error).toMatchObject({ kind: 'notANumber', adapter: 'dates' });
    expect(await readdir(parent)).toEqual([]);
  });

  it('keeps the adapters that were finished before one diverges', async () => {
    const outputFolder = join(folder, 'half');
    const quick = demoJob('sums', { duration: { kind: 'iterations', iterations: 1 } });
    const options = await demoOptions([quick, diverging], 1, { evaluation: null, outputFolder, schedule: { type: 'gpipe' } });
    const { adapters } = await trained(options);
    expect(adapters.map(({ failure }) => failure?.adapter)).toEqual([undefined, 'dates']);
    expect(await readdir(join(outputFolder, 'adapters'))).toEqual(['sums']);
  });
});
