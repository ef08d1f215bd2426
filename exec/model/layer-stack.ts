import type { Tensor2D } from '@tensorflow/tfjs-core';
import { release, scoped } from '../backend/scope.ts';
import type { BatchContext } from './batch-context.ts';
import { type LayerSaved, type LayerWeights, backwardLayer, forwardLayer } from './layer.ts';

/**
 * What is kept of a layer between its forward and its backward: all that its backward needs, or its input `[tokens, hidden]`,
 * from which the forward is run again (Chen et al. 2016). Adapters change in steps only and dropout masks are functions of
 * their keys, so both give the same gradients bit for bit.
 */
export type LayerKept = { readonly saved: LayerSaved } | { readonly input: Tensor2D };

/** Runs layers upwards on `[tokens, hidden]`, which it takes over, and keeps what each needs for its backward. */
export const forwardLayers = (
  layers: readonly LayerWeights[],
  input: Tensor2D,
  { batch, recompute }: { readonly batch: BatchContext; readonly recompute: boolean },
): { hidden: Tensor2D; kept: readonly LayerKept[] } => {
  const kept: LayerKept[] = [];
  let hidden = input;
  for (const layer of layers) {
    const from = hidden;
    if (recompute) {
      hidden = evaluateLayer(layer, from, batch);
      kept.push({ input: from });
    } else {
      const { output, saved } = forwardLayer(layer, from, batch);
      hidden = output;
      kept.push({ saved });
      from.dispose();
    }
  }
  return { hidden, kept };
};

const evaluateLayer = (layer: LayerWeights, input: Tensor2D, batch: BatchContext): Tensor2D =>
  scoped(() => forwardLayer(layer, input, batch).output);

/** Runs layers upwards without keeping anything; takes over `input`. */
export const evaluateLayers = (layers: readonly LayerWeights[], input: Tensor2D, batch: BatchContext): Tensor2D =>
  layers.reduce((hidden, layer) => {
    const next = evaluateLayer(layer, hidden, batch);
    hidden.dispose();
    return next;
  }, input);

/** What a layer's backward needs, from what was kept of it. */
const restore = (layer: LayerWeights, kept: LayerKept, batch: BatchContext): LayerSaved =>
  'saved' in kept ? kept.saved : scoped(() => forwardLayer(layer, kept.input, batch).saved);

/**
 * Runs layers downwards, freeing what was kept of each and every gradient but the last. Takes over `gradient`; undefined
 * where the caller needs no input gradient.
 */
export const backwardLayers = (
  layers: readonly LayerWeights[],
  kept: readonly LayerKept[],
  gradient: Tensor2D,
  { batch, needsInput }: { readonly batch: BatchContext; readonly needsInput: boolean },
): Tensor2D | undefined => {
  let current: Tensor2D | undefined = gradient;
  for (let index = layers.length - 1; index >= 0 && current !== undefined; index--) {
    const options = { batch, needsInput: needsInput || index > 0 };
    const saved = restore(layers[index]!, kept[index]!, batch);
    const next: Tensor2D | undefined = backwardLayer(layers[index]!, saved, current, options);
    release([kept[index], saved, current]);
    current = next;
  }
  return current;
};
