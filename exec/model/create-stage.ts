import { type Tensor2D, gather, tensor1d } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { type LoadedAdapter, loadAdapter } from '../adapter/loaded-adapter.ts';
import type { Backend } from '../backend/backend.ts';
import { release, scoped } from '../backend/scope.ts';
import type { TensorSource } from '../checkpoint/checkpoint.ts';
import { type LayerRange, isFirstStage } from '../checkpoint/model-tensors.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { ForwardResult, Stage } from '../stage.ts';
import { type RotaryConstants, restAttentionContext, wakeAttentionContext } from './attention.ts';
import { type BatchContext, createBatchContext, disposeBatchContext } from './batch-context.ts';
import { packTokens } from './batch-layout.ts';
import { type LayerKept, backwardLayers, evaluateLayers, forwardLayers } from './layer-stack.ts';
import { type HeadSaved, backwardHead, forwardHead } from './loss-head.ts';
import { halfRotation, rotaryFrequencies } from './rope.ts';
import { type StageWeights, frozenWeightsOf, loadStageWeights } from './stage-weights.ts';

export interface StageOptions {
  readonly model: Model;
  readonly source: TensorSource;
  readonly backend: Backend;
  /** Layers [firstLayer, endLayer): the first stage also holds the embedding, the last one the LM head and the loss. */
  readonly firstLayer: number;
  readonly endLayer: number;
  /** Keep each layer's input only, and run its forward again in the backward; absent: no. */
  readonly recompute?: boolean;
  /** Told when the gradient that an adapter steps with is not finite; without it nothing is checked. */
  readonly onNonFinite?: (adapter: number) => void;
}

/** Loads a stage's weights; Left names every tensor of the checkpoint that does not fit the model. */
export const createStage = async (options: StageOptions): Promise<E.Either<Problems, Stage>> => {
  const { model, firstLayer, endLayer } = options;
  const range = { first: firstLayer, end: endLayer };
  const weights = await loadStageWeights(model, range, options.source);
  return pipe(
    weights,
    E.map((loaded) => stageOf(options, range, loaded)),
  );
};

/** A microbatch between its forward and its backward. */
interface InFlight {
  readonly batch: PackedBatch;
  readonly context: BatchContext;
  readonly layers: readonly LayerKept[];
  readonly head: HeadSaved | undefined;
}

interface StageState {
  readonly options: StageOptions;
  readonly range: LayerRange;
  readonly weights: StageWeights;
  readonly rotary: RotaryConstants;
  readonly adapters: Map<number, LoadedAdapter>;
  readonly inFlight: Map<number, InFlight>;
}

const stageOf = (options: StageOptions, range: LayerRange, weights: StageWeights): Stage => {
  const { model, backend } = options;
  const rotary = { frequencies: rotaryFrequencies(model), halfRotation: halfRotation(model.headSize) };
  const adapters = new Map<number, LoadedAdapter>();
  const weightOf = frozenWeightsOf(weights, range);
  const state: StageState = { options, range, weights, rotary, adapters, inFlight: new Map() };
  return {
    load: (setup, initial, steps = 0) => {
      if (adapters.has(setup.index)) throw new Error(`adapter ${setup.index} is loaded already`);
      adapters.set(setup.index, loadAdapter({ model, range, backend, setup, weightOf, initial, steps }));
    },
    forward: (batch, input, { keep }) => (keep ? forward(state, batch, input) : evaluate(state, batch, input)),
    backward: (microbatch, gradient) => backward(state, microbatch, gradient),
    squaredGradientNorm: (index) => adapterOf(state, index).squaredGradientNorm(),
    step: (index, gradientNorm) => step(state, index, gradientNorm),
    weights: (index) => adapterOf(state, index).weights(),
    state: (index) => adapterOf(state, index).state(),
    release: (index) => {
      adapterOf(state, index).dispose();
      adapters.delete(index);
    },
    dispose: () => disposeStage(state),
  };
};

const adapterOf = ({ adapters }: StageState, index: number): LoadedAdapter => {
  const adapter = adapters.get(index);
  if (adapter === undefined) throw new Error(`adapter ${index} is not loaded on this stage`);
  return adapter;
};

const openContext = (state: StageState, batch: PackedBatch, training: boolean): BatchContext => {
  const { rotary, options } = state;
  return createBatchContext({
    model: options.model,
    rotary,
    batch,
    adapterOf: (index) => adapterOf(state, index),
    training,
  });
};

const embed = ({ weights }: StageState, batch: PackedBatch): Tensor2D =>
  scoped(() => gather(weights.embedding!, tensor1d(packTokens(batch), 'int32')));

const forward = (state: StageState, batch: PackedBatch, input: Tensor2D | null): ForwardResult => {
  const { weights, inFlight, options } = state;
  if (inFlight.has(batch.microbatch)) throw new Error(`microbatch ${batch.microbatch} is in flight already`);
  const context = openContext(state, batch, true);
  const { recompute = false } = options;
  const bottom = input ?? embed(state, batch);
  const { hidden, kept: layers } = forwardLayers(weights.layers, bottom, { batch: context, recompute });
  const head = weights.head && forwardHead(weights.head, hidden, batch, options.backend);
  inFlight.set(batch.microbatch, { batch, context: { ...context, attention: restAttentionContext(context.attention) }, layers, head: head?.saved });
  if (head === undefined) return { kind: 'hidden', hidden };
  hidden.dispose();
  return { kind: 'loss', losses: head.losses };
};

const evaluate = (state: StageState, batch: PackedBatch, input: Tensor2D | null): ForwardResult => {
  const { weights, options } = state;
  const context = openContext(state, batch, false);
  const hidden = evaluateLayers(weights.layers, input ?? embed(state, batch), context);
  disposeBatchContext(context);
  if (weights.head === undefined) return { kind: 'hidden', hidden };
  const { losses, saved } = forwardHead(weights.head, hidden, batch, options.backend);
  release([hidden, saved]);
  return { kind: 'loss', losses };
};

const backward = (state: StageState, microbatch: number, gradient: Tensor2D | null): Tensor2D | null => {
  const { weights, inFlight, range, options } = state;
  const flight = inFlight.get(microbatch);
  if (flight === undefined) throw new Error(`microbatch ${microbatch} has no forward to go back from`);
  inFlight.delete(microbatch);
  const { batch, layers, head } = flight;
  const context = options.recompute === true ? { ...flight.context, attention: wakeAttentionContext(flight.context.attention) } : flight.context;
  const top = weights.head ? backwardHead(weights.head, head, batch, context.layout.tokens) : gradient!;
  release(head);
  const bottom = backwardLayers(weights.layers, layers, top, { batch: context, needsInput: !isFirstStage(range) });
  for (const { adapter, gradients } of context.parts) adapter.accumulate(gradients);
  disposeBatchContext(context);
  return bottom ?? null;
};

const step = (state: StageState, index: number, gradientNorm: number | undefined): void => {
  const adapter = adapterOf(state, index);
  const { onNonFinite } = state.options;
  if (onNonFinite !== undefined) {
    void adapter.gradientIsFinite().then((finite) => {
      if (!finite) onNonFinite(index);
    });
  }
  adapter.step(gradientNorm);
};

const disposeStage = ({ weights, rotary, adapters, inFlight }: StageState): void => {
  for (const { context, layers, head } of inFlight.values()) {
    disposeBatchContext(context);
    release([layers, head]);
  }
  inFlight.clear();
  adapters.forEach((adapter) => adapter.dispose());
  adapters.clear();
  rotary.halfRotation.dispose();
  weights.dispose();
};
