import { type Tensor2D, dispose } from '@tensorflow/tfjs-core';
import { multipliesStacks } from '../backend/products.ts';
import type { BatchLayout } from './batch-layout.ts';
import { type BatchedContext, type BatchedSaved, backwardBatched, createBatchedContext, forwardBatched } from './batched-attention.ts';
import { type AttentionModel, type BlockContext, type BlocksSaved, backwardBlocks, createBlockContext, forwardBlocks, masksOf } from './block-attention.ts';
import { rotationOf } from './rope.ts';

/** Causal grouped-query attention of packed rows, as the current backend computes it fastest. */
export type AttentionContext = BlockContext | BatchedContext;

/** What the backward needs. */
export type AttentionSaved = BlocksSaved | BatchedSaved;

/** What is the same for every microbatch of a stage. */
export interface RotaryConstants {
  readonly frequencies: Float32Array;
  readonly halfRotation: Tensor2D;
}

/** Masks and rotations of a microbatch. Free them with `disposeAttentionContext`. */
export const createAttentionContext = (
  model: AttentionModel,
  { chunks, positions }: BatchLayout,
  { frequencies, halfRotation }: RotaryConstants,
): AttentionContext => {
  const create = multipliesStacks() ? createBatchedContext : createBlockContext;
  return create(model, chunks, { rotation: rotationOf(frequencies, positions), halfRotation });
};

/** What is held between a forward and its backward: the masks of blocks are needed in forwards only. */
export const restAttentionContext = (context: AttentionContext): AttentionContext => {
  if (context.kind !== 'blocks') return context;
  dispose([...context.masks]);
  return { ...context, masks: [] };
};

/** A context that rests, for forwards again. */
export const wakeAttentionContext = (context: AttentionContext): AttentionContext =>
  context.kind === 'blocks' ? { ...context, masks: masksOf(context.model, context.chunks) } : context;

export const disposeAttentionContext = (context: AttentionContext): void => {
  const { cosines, sines } = context.rotation;
  dispose([cosines, sines]);
  if (context.kind === 'blocks') return dispose([...context.masks]);
  context.mask.dispose();
  if (context.padding !== null) dispose(Object.values(context.padding));
};

/** Inputs `[tokens, heads·head size]` each; the output has the queries' shape. */
export const forwardAttention = (
  context: AttentionContext,
  queries: Tensor2D,
  keys: Tensor2D,
  values: Tensor2D,
): { output: Tensor2D; saved: AttentionSaved } =>
  context.kind === 'blocks'
    ? forwardBlocks(context, queries, keys, values)
    : forwardBatched(context, queries, keys, values);

/** Gradients of queries, keys and values, in their shapes. */
export const backwardAttention = (
  context: AttentionContext,
  saved: AttentionSaved,
  gradient: Tensor2D,
): { queries: Tensor2D; keys: Tensor2D; values: Tensor2D } => {
  if (context.kind === 'blocks' && saved.kind === 'blocks') return backwardBlocks(context, saved, gradient);
  if (context.kind === 'batched' && saved.kind === 'batched') return backwardBatched(context, saved, gradient);
  throw new Error('attention goes back another way than it came');
};
