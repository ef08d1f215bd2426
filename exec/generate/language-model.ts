import { gather, slice, tensor1d, type Tensor2D } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import type { Optimizer } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { loadAdapter, type LoadedAdapter } from '../adapter/loaded-adapter.ts';
import type { PeftAdapter } from '../adapter/peft-folder.ts';
import type { Backend } from '../backend/backend.ts';
import { scoped } from '../backend/scope.ts';
import type { TensorSource } from '../checkpoint/checkpoint.ts';
import type { RotaryConstants } from '../model/attention.ts';
import { createBatchContext, disposeBatchContext } from '../model/batch-context.ts';
import { packTokens } from '../model/batch-layout.ts';
import { applyWeight } from '../model/frozen-linear.ts';
import { evaluateLayers } from '../model/layer-stack.ts';
import { forwardRmsNorm } from '../model/rms-norm.ts';
import { halfRotation, rotaryFrequencies } from '../model/rope.ts';
import { frozenWeightsOf, loadStageWeights, type StageWeights } from '../model/stage-weights.ts';
import { NO_TARGET, type PackedBatch } from '../packed-batch.ts';
import type { AdapterSetup } from '../stage.ts';

/** A whole model with at most one adapter on this process's backend. */
export interface LanguageModel {
  /** Logits `[vocabulary]` of the token after `tokens`, of which there is at least one. */
  readonly nextLogits: (tokens: readonly number[]) => Promise<Float32Array>;
  readonly dispose: () => void;
}

export interface LanguageModelOptions {
  readonly model: Model;
  readonly source: TensorSource;
  readonly backend: Backend;
  /** null: the base model alone. */
  readonly adapter: PeftAdapter | null;
}

/** An adapter without targets leaves every module as it is. */
const NO_ADAPTER: PeftAdapter = {
  adapter: { type: 'lora', rank: 1, alpha: 1, dropout: 0, targetModules: [] },
  weights: [],
};

/** The adapter is never stepped; of all optimizers this one holds nothing. */
const NO_STEPS: Optimizer = {
  type: 'sgd',
  learningRate: 0,
  learningRateRatio: 1,
  maxGradientNorm: null,
  schedule: { type: 'constant', warmup: 0 },
  momentum: 0,
  weightDecay: 0,
};

const setupOf = ({ adapter }: PeftAdapter): AdapterSetup => ({
  index: 0,
  name: 'adapter',
  adapter,
  optimizer: NO_STEPS,
  iterations: 1,
  seed: 0,
});

/** Loads a model and its adapter; Left names every tensor of the checkpoint that does not fit the model. */
export const openLanguageModel = async (options: LanguageModelOptions): Promise<E.Either<Problems, LanguageModel>> => {
  const { model, backend, source } = options;
  const range = { first: 0, end: model.layerCount };
  const weights = await loadStageWeights(model, range, source);
  if (E.isLeft(weights)) return weights;
  const peft = options.adapter ?? NO_ADAPTER;
  const weightOf = frozenWeightsOf(weights.right, range);
  const adapter = loadAdapter({ model, range, backend, setup: setupOf(peft), weightOf, initial: peft.weights, steps: 0 });
  const rotary = { frequencies: rotaryFrequencies(model), halfRotation: halfRotation(model.headSize) };
  const run = { model, rotary, weights: weights.right, adapter };
  return E.right({
    nextLogits: async (tokens) => {
      const logits = forward(run, tokens);
      const values = await backend.read(logits);
      logits.dispose();
      return values;
    },
    dispose: () => {
      adapter.dispose();
      rotary.halfRotation.dispose();
      weights.right.dispose();
    },
  });
};

interface Run {
  readonly model: Model;
  readonly rotary: RotaryConstants;
  readonly weights: StageWeights;
  readonly adapter: LoadedAdapter;
}

/** Logits `[1, vocabulary]` of the last position; the whole text goes through the layers again for every token. */
const forward = ({ model, rotary, weights, adapter }: Run, tokens: readonly number[]): Tensor2D => {
  const row = { tokens: Int32Array.from(tokens), targets: new Int32Array(tokens.length).fill(NO_TARGET) };
  const batch: PackedBatch = { microbatch: 0, parts: [{ adapter: 0, rows: [row], lossScale: 1 }] };
  const context = createBatchContext({ model, rotary, batch, adapterOf: () => adapter, training: false });
  const embedded = scoped(() => gather(weights.embedding!, tensor1d(packTokens(batch), 'int32')));
  const hidden = evaluateLayers(weights.layers, embedded, context);
  disposeBatchContext(context);
  const { norm, normEpsilon, linear } = weights.head!;
  const logits = scoped(() => {
    const last = slice(hidden, [tokens.length - 1, 0], [1, -1]);
    return applyWeight(linear, forwardRmsNorm(last, norm, normEpsilon).output);
  });
  hidden.dispose();
  return logits;
};
