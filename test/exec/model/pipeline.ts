import * as E from 'fp-ts/lib/Either.js';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Model } from '../../../core/model/model.ts';
import type { Backend } from '../../../exec/backend/backend.ts';
import { createStage } from '../../../exec/model/create-stage.ts';
import type { PackedBatch } from '../../../exec/packed-batch.ts';
import type { AdapterSetup, NamedArray, PartLoss, Stage } from '../../../exec/stage.ts';
import { adamW, type randomWeights, sourceOf } from './tiny-models.ts';

/** Stages of a model in one process, cut before the given layers. */
export interface Pipeline {
  readonly stages: readonly Stage[];
  readonly load: (setup: AdapterSetup) => void;
  readonly forward: (batch: PackedBatch, keep?: boolean) => Promise<readonly PartLoss[]>;
  readonly backward: (microbatch: number) => void;
  readonly step: (adapter: number) => void;
  /** A step that knows the norm of the gradient over all stages; returns it. */
  readonly clippedStep: (adapter: number) => Promise<number>;
  readonly weights: (adapter: number) => Promise<readonly NamedArray[]>;
  readonly dispose: () => void;
}

export const openPipeline = async (
  backend: Backend,
  model: Model,
  weights: ReturnType<typeof randomWeights>,
  cuts: readonly number[] = [],
  recompute = false,
): Promise<Pipeline> => {
  const ends = [...cuts, model.layerCount];
  const stages: Stage[] = [];
  for (const [index, endLayer] of ends.entries()) {
    const stage = await createStage({
      model,
      source: sourceOf(weights),
      backend,
      firstLayer: ends[index - 1] ?? 0,
      endLayer,
      recompute,
    });
    if (E.isLeft(stage)) throw new Error(stage.left.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    stages.push(stage.right);
  }
  return {
    stages,
    load: (setup) => stages.forEach((stage) => stage.load(setup)),
    forward: async (batch, keep = true) => {
      let hidden: Tensor2D | null = null;
      for (const stage of stages) {
        const result = stage.forward(batch, hidden, { keep });
        if (result.kind === 'loss') return result.losses;
        hidden = result.hidden;
      }
      throw new Error('the last stage returned no losses');
    },
    backward: (microbatch) => {
      let gradient: Tensor2D | null = null;
      for (const stage of [...stages].reverse()) gradient = stage.backward(microbatch, gradient);
    },
    step: (adapter) => stages.forEach((stage) => stage.step(adapter)),
    clippedStep: async (adapter) => {
      const squares = await Promise.all(stages.map((stage) => stage.squaredGradientNorm(adapter)));
      const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
      stages.forEach((stage) => stage.step(adapter, norm));
      return norm;
    },
    weights: async (adapter) => (await Promise.all(stages.map((stage) => stage.weights(adapter)))).flat(),
    dispose: () => stages.forEach((stage) => stage.dispose()),
  };
};

const DESCENT_EPSILON = 2 ** 60;

/** AdamW without memory and with ε ≫ |g| moves the weights by −g: a step then shows the accumulated gradient. */
export const descent = adamW({ learningRate: DESCENT_EPSILON, epsilon: DESCENT_EPSILON, beta1: 0, beta2: 0 });

/** Gradients that a step with `descent` applied, by PEFT's key. */
export const appliedGradients = (
  before: readonly NamedArray[],
  after: readonly NamedArray[],
): ReadonlyMap<string, Float32Array> => {
  const later = new Map(after.map(({ name, values }) => [name, values]));
  return new Map(
    before.map(({ name, values }) => [name, values.map((value, index) => value - later.get(name)![index]!)]),
  );
};

export const largestEntry = (values: Float32Array): number =>
  values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/** Largest difference of two arrays relative to the largest expected entry, or to `floor` where that is larger. */
export const relativeDifference = (actual: Float32Array, expected: Float32Array, floor = 1e-12): number =>
  largestEntry(actual.map((value, index) => value - expected[index]!)) / Math.max(largestEntry(expected), floor);
