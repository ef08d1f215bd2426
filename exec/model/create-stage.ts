import { type Tensor2D, dispose, gather, tensor1d } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { type LoadedAdapter, loadAdapter } from '../adapter/loaded-adapter.ts';
import type { Backend } from '../backend/backend.ts';
import { scoped } from '../backend/scope.ts';
import type { TensorSource } from '../checkpoint/checkpoint.ts';
import type { LayerRange } from '../checkpoint/model-tensors.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { ForwardResult, Stage } from '../stage.ts';
import { type BatchContext, createBatchContext, disposeBatchContext } from './batch-context.ts';
import { packTokens } from './batch-layout.ts';
import { type LayerSaved, backwardLayer, forwardLayer } from './layer.ts';
import { type HeadSaved, backwardHead, forwardHead } from './loss-head.ts';
import { halfRotation, rotaryFrequencies } from './rope.ts';
import { type StageWeights, loadStageWeights } from './stage-weights.ts';

export interface StageOptions {
  readonly model: Model;
  readonly source: TensorSource;
  readonly backend: Backend;
  /** Layers [firstLayer, endLayer): the first stage also holds the embedding, the last one the LM head and the loss. */
  readonly firstLayer: number;
  readonly endLayer: number;
  /** Told when a step's accumulated gradient of an adapter is not finite; without it nothing is checked. */
  readonly onNonFinite?: (adapter: number) => void;
}

/** Loads a stage's weights; Left names every tensor of the checkpoint that does not fit the model. */
export const createStage = async (options: StageOptions): Promise<E.Either<Problems, Stage>> => {
  const range = { first: options.firstLayer, end: options.endLayer };
  const weights = await loadStageWeights(options.model, range, options.source);
  return pipe(weights, E.map((loaded) => assembleStage(options, range, loaded)));
};

/** A microbatch between its forward and its backward. */
interface InFlight {
  readonly batch: PackedBatch;
  readonly context: BatchContext;
  readonly layers: readonly LayerSaved[];
  readonly head: HeadSaved | undefined;
}

const assembleStage = (options: StageOptions, range: LayerRange, weights: StageWeights): Stage => {
  const { model, backend, onNonFinite } = options;
  const rotary = { frequencies: rotaryFrequencies(model), halfRotation: halfRotation(model.headSize) };
  const adapters = new Map<number, LoadedAdapter>();
  const inFlight = new Map<number, InFlight>();

  const adapterOf = (index: number): LoadedAdapter => {
    const adapter = adapters.get(index);
    if (adapter === undefined) throw new Error(`adapter ${index} is not loaded on this stage`);
    return adapter;
  };

  const embed = (batch: PackedBatch): Tensor2D =>
    scoped(() => gather(weights.embedding!, tensor1d(packTokens(batch), 'int32')));

  return {
    load: (setup, initial) => {
      if (adapters.has(setup.index)) throw new Error(`adapter ${setup.index} is loaded already`);
      adapters.set(setup.index, loadAdapter({ model, range, backend, setup, initial }));
    },

    forward: (batch, input, { keep }): ForwardResult => {
      if (inFlight.has(batch.microbatch)) throw new Error(`microbatch ${batch.microbatch} is in flight already`);
      const context = createBatchContext({ model, rotary, batch, adapterOf, training: keep });
      const { hidden, saved } = runLayers(weights, input ?? embed(batch), context, keep);
      const head = weights.head && forwardHead(weights.head, hidden, batch, backend);
      if (head !== undefined) hidden.dispose();
      if (keep) inFlight.set(batch.microbatch, { batch, context, layers: saved, head: head?.saved });
      else {
        disposeBatchContext(context);
        if (head?.saved !== undefined) dispose(head.saved as never);
      }
      return head === undefined ? { kind: 'hidden', hidden } : { kind: 'loss', losses: head.losses };
    },

    backward: (microbatch, gradient) => {
      const flight = inFlight.get(microbatch);
      if (flight === undefined) throw new Error(`microbatch ${microbatch} has no forward to go back from`);
      inFlight.delete(microbatch);
      const { batch, context, layers, head } = flight;
      const top = weights.head ? backwardHead(weights.head, head, batch, context.layout.tokens) : gradient!;
      if (head !== undefined) dispose(head as never);
      const bottom = unwindLayers(weights, layers, context, top, range);
      for (const part of context.parts) part.adapter.accumulate(part.gradients);
      disposeBatchContext(context);
      return bottom ?? null;
    },

    step: (index) => {
      const adapter = adapterOf(index);
      if (onNonFinite !== undefined) void adapter.gradientIsFinite().then((finite) => finite || onNonFinite(index));
      adapter.step();
    },

    weights: (index) => adapterOf(index).weights(),

    release: (index) => {
      adapterOf(index).dispose();
      adapters.delete(index);
    },

    dispose: () => {
      for (const { context, layers, head } of inFlight.values()) {
        disposeBatchContext(context);
        dispose([layers, head] as never);
      }
      inFlight.clear();
      adapters.forEach((adapter) => adapter.dispose());
      adapters.clear();
      rotary.halfRotation.dispose();
      weights.dispose();
    },
  };
};

/** Runs the layers upwards, freeing each input once the next one exists. */
const runLayers = (weights: StageWeights, input: Tensor2D, context: BatchContext, keepSaved: boolean): { hidden: Tensor2D; saved: readonly LayerSaved[] } => {
  const saved: LayerSaved[] = [];
  let hidden = input;
  for (const layer of weights.layers) {
    const next = keepSaved ? forwardLayer(layer, hidden, context) : { output: scoped(() => forwardLayer(layer, hidden, context).output) };
    hidden.dispose();
    hidden = next.output;
    if ('saved' in next) saved.push(next.saved);
  }
  return { hidden, saved };
};

/** Runs the layers downwards, freeing what each had saved; below the lowest adapter there is no gradient to return. */
const unwindLayers = (
  weights: StageWeights,
  saved: readonly LayerSaved[],
  batch: BatchContext,
  top: Tensor2D,
  range: LayerRange,
): Tensor2D | undefined => {
  let gradient: Tensor2D | undefined = top;
  for (let index = saved.length - 1; index >= 0 && gradient !== undefined; index--) {
    const next: Tensor2D | undefined = backwardLayer(weights.layers[index]!, saved[index]!, gradient, {
      batch,
      needsInput: index > 0 || range.first > 0,
    });
    dispose(saved[index] as never);
    gradient.dispose();
    gradient = next;
  }
  return gradient;
};
