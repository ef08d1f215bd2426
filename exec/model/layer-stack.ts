import type { Tensor2D } from '@tensorflow/tfjs-core';
import { release, scoped } from '../backend/scope.ts';
import type { BatchContext } from './batch-context.ts';
import { type LayerSaved, type LayerWeights, backwardLayer, forwardLayer } from './layer.ts';

/** Runs layers upwards on `[tokens, hidden]`, which it takes over, and keeps what each needs for its backward. */
export const forwardLayers = (
  layers: readonly LayerWeights[],
  input: Tensor2D,
  batch: BatchContext,
): { hidden: Tensor2D; saved: readonly LayerSaved[] } => {
  const saved: LayerSaved[] = [];
  let hidden = input;
  for (const layer of layers) {
    const next = forwardLayer(layer, hidden, batch);
    hidden.dispose();
    hidden = next.output;
    saved.push(next.saved);
  }
  return { hidden, saved };
};

/** Runs layers upwards without keeping anything; takes over `input`. */
export const evaluateLayers = (layers: readonly LayerWeights[], input: Tensor2D, batch: BatchContext): Tensor2D =>
  layers.reduce((hidden, layer) => {
    const next = scoped(() => forwardLayer(layer, hidden, batch).output);
    hidden.dispose();
    return next;
  }, input);

/**
 * Runs layers downwards, freeing what each had saved and every gradient but the last. Takes over `gradient`; undefined
 * where the caller needs no input gradient.
 */
export const backwardLayers = (
  layers: readonly LayerWeights[],
  saved: readonly LayerSaved[],
  gradient: Tensor2D,
  { batch, needsInput }: { readonly batch: BatchContext; readonly needsInput: boolean },
): Tensor2D | undefined => {
  let current: Tensor2D | undefined = gradient;
  for (let index = layers.length - 1; index >= 0 && current !== undefined; index--) {
    const options = { batch, needsInput: needsInput || index > 0 };
    const next: Tensor2D | undefined = backwardLayer(layers[index]!, saved[index]!, current, options);
    release([saved[index], current]);
    current = next;
  }
  return current;
};
