import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import type { Adapter, Optimizer } from '../../core/job.ts';
import { parseModelConfig } from '../../core/model/config.ts';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { readPeftFolder } from '../../exec/adapter/peft-folder.ts';
import type { Backend } from '../../exec/backend/backend.ts';
import { openCheckpoint } from '../../exec/checkpoint/checkpoint.ts';
import { createStage } from '../../exec/model/create-stage.ts';
import { type BatchPart, NO_TARGET, type Row } from '../../exec/packed-batch.ts';
import type { NamedArray, Stage } from '../../exec/stage.ts';

/** A training run of transformers and PEFT, as `test/reference/make_peft_reference.py` stores it. */
interface ReferenceRun {
  /** Name of the case that holds the base model. */
  readonly model: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly microbatches: number;
  readonly optimizer: Optimizer;
  readonly rows: readonly { readonly tokens: readonly number[]; readonly prompt: number }[];
  readonly losses: readonly number[];
  /** Norm of each step's gradient before it is clipped; runs that clip only. */
  readonly gradientNorms?: readonly number[];
}

/** How far our training is from the reference. */
export interface ReferenceComparison {
  readonly adapter: Adapter;
  /** |ours − theirs| / theirs, of every step. */
  readonly lossErrors: readonly number[];
  /** The same of the gradients' norms, where the run clips them. */
  readonly normErrors: readonly number[];
  /** Relative Frobenius norm of the difference, by PEFT's key; empty where not all steps were made. */
  readonly weightErrors: ReadonlyMap<string, number>;
}

/** All stored runs, by name. */
export const REFERENCE_RUNS = [
  'llama-r8',
  'llama-r16-all',
  'llama-accumulation-4',
  'llama-dora',
  'llama-vera',
  'llama-loraplus',
  'qwen2-rslora-all',
  'llama-cosine-warmup',
  'llama-sgd-linear',
  'llama-clipped',
  'llama-sgd-clipped',
] as const;

/** Trains as a stored run of a folder did, or for its first steps only, and compares; throws where the run cannot be read. */
export const compareWithReference = async (backend: Backend, folder: string, name: string, steps = Infinity): Promise<ReferenceComparison> => {
  const run = (await readJson(folder, name, 'run.json')) as ReferenceRun;
  const model = right(parseModelConfig(run.model, await readJson(folder, run.model, 'model', 'config.json')));
  const { adapter, weights } = right(await readPeftFolder(join(folder, name, 'initial'), model));
  const final = right(await readPeftFolder(join(folder, name, 'final'), model));
  const stage = await openWholeModel(backend, join(folder, run.model, 'model'), model);
  const setup = { index: 0, name, adapter, optimizer: { ...NO_CLIPPING, ...run.optimizer }, iterations: run.steps, seed: 0 };
  stage.load(setup, weights);
  const made = Math.min(steps, run.steps);
  const { losses, gradientNorms } = await train(stage, run, made);
  const trained = await stage.weights(0);
  stage.dispose();
  return {
    adapter,
    lossErrors: relativeErrors(losses, run.losses.slice(0, made)),
    normErrors: relativeErrors(gradientNorms, (run.gradientNorms ?? []).slice(0, made)),
    weightErrors: made < run.steps ? new Map() : compareWeights(trained, final.weights),
  };
};

/** Runs stored without it do not clip. */
const NO_CLIPPING = { maxGradientNorm: null };

const relativeErrors = (own: readonly number[], reference: readonly number[]): readonly number[] =>
  reference.map((value, step) => Math.abs(own[step]! - value) / value);

const readJson = async (...path: string[]): Promise<unknown> => JSON.parse(await readFile(join(...path), 'utf8'));

const right = <T>(result: E.Either<Problems | readonly string[], T>): T => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

const openWholeModel = async (backend: Backend, folder: string, model: Model): Promise<Stage> => {
  const source = right(await openCheckpoint(folder));
  const stage = await createStage({ model, source, backend, firstLayer: 0, endLayer: model.layerCount });
  await source.close();
  return right(stage);
};

const train = async (stage: Stage, run: ReferenceRun, steps: number): Promise<{ losses: number[]; gradientNorms: number[] }> => {
  const losses: number[] = [];
  const gradientNorms: number[] = [];
  for (let step = 0; step < steps; step++) {
    let loss = 0;
    for (const [microbatch, part] of splitBatch(run, step).entries()) {
      const result = stage.forward({ microbatch, parts: [part] }, null, { keep: true });
      if (result.kind !== 'loss') throw new Error('a stage with all layers returns losses');
      loss += (await result.losses)[0]!.loss;
      stage.backward(microbatch, null);
    }
    const norm = Math.sqrt(await stage.squaredGradientNorm(0));
    stage.step(0, norm);
    losses.push(loss);
    gradientNorms.push(norm);
  }
  return { losses, gradientNorms };
};

const splitBatch = (run: ReferenceRun, step: number): readonly BatchPart[] => {
  const rows = Array.from({ length: run.batchSize }, (_, index) =>
    toRow(run.rows[(step * run.batchSize + index) % run.rows.length]!),
  );
  const size = run.batchSize / run.microbatches;
  return Array.from({ length: run.microbatches }, (_, index) => ({
    adapter: 0,
    rows: rows.slice(index * size, (index + 1) * size),
    lossScale: 1 / countTargets(rows),
  }));
};

/** Hugging Face shifts labels itself: position i predicts token i + 1, if that is not part of the prompt. */
const toRow = ({ tokens, prompt }: ReferenceRun['rows'][number]): Row => ({
  tokens: Int32Array.from(tokens),
  targets: Int32Array.from(tokens, (_, place) =>
    place + 1 >= Math.max(prompt, 1) ? (tokens[place + 1] ?? NO_TARGET) : NO_TARGET,
  ),
});

const countTargets = (rows: readonly Row[]): number =>
  rows.flatMap(({ targets }) => [...targets]).filter((target) => target !== NO_TARGET).length;

const compareWeights = (own: readonly NamedArray[], reference: readonly NamedArray[]): ReadonlyMap<string, number> => {
  const trained = new Map(own.map(({ name, values }) => [name, values]));
  return new Map(
    reference.map(({ name, values }) => {
      const difference = trained.get(name)!.map((value, index) => value - values[index]!);
      return [name, Math.hypot(...difference) / Math.hypot(...values)];
    }),
  );
};
