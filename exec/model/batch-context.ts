import { type Tensor, type Tensor2D, dispose } from '@tensorflow/tfjs-core';
import type { Model } from '../../core/model/model.ts';
import type { RowSpan } from '../adapter/dropout.ts';
import type { LoadedAdapter } from '../adapter/loaded-adapter.ts';
import type { PackedBatch } from '../packed-batch.ts';
import { type AttentionContext, chunkMask } from './attention.ts';
import { type AttentionChunk, type BatchLayout, type RowRange, layOutBatch } from './batch-layout.ts';
import { rotationOf } from './rope.ts';

/** One adapter's share of a microbatch on this stage. */
export interface BatchPartContext {
  readonly range: RowRange;
  readonly adapter: LoadedAdapter;
  readonly rows: RowSpan;
  /** Dropout is on. */
  readonly training: boolean;
  /** Gradients of the adapter's matrices by PEFT's key, filled by the backward. */
  readonly gradients: Map<string, Tensor>;
}

/** What all layers of a stage need to know of a microbatch; lives from its forward to the end of its backward. */
export interface BatchContext {
  readonly layout: BatchLayout;
  readonly parts: readonly BatchPartContext[];
  readonly attention: AttentionContext;
}

/** What is the same for every microbatch of a stage. */
export interface RotaryConstants {
  readonly frequencies: Float32Array;
  readonly halfRotation: Tensor2D;
}

export interface BatchContextOptions {
  readonly model: Model;
  readonly rotary: RotaryConstants;
  readonly batch: PackedBatch;
  readonly adapterOf: (index: number) => LoadedAdapter;
  readonly training: boolean;
}

/** Prepares a microbatch: its layout, rotations and attention masks. Free it with `disposeBatchContext`. */
export const createBatchContext = ({
  model,
  rotary,
  batch,
  adapterOf,
  training,
}: BatchContextOptions): BatchContext => {
  const layout = layOutBatch(batch);
  const masks = masksOf(layout.chunks, model.headCount / model.keyValueHeadCount);
  const rotation = rotationOf(rotary.frequencies, layout.positions);
  const parts = batch.parts.map(({ adapter: index, rows }, part) => {
    const adapter = adapterOf(index);
    const firstRow = training ? adapter.takeRows(rows.length) : 0;
    const lengths = rows.map(({ tokens }) => tokens.length);
    return { range: layout.parts[part]!, adapter, rows: { lengths, firstRow }, training, gradients: new Map() };
  });
  return {
    layout,
    parts,
    attention: { model, chunks: layout.chunks, masks, rotation, halfRotation: rotary.halfRotation },
  };
};

/** Chunks of the same row lengths share a mask. */
const masksOf = (chunks: readonly AttentionChunk[], group: number): readonly Tensor2D[] => {
  const known = new Map<string, Tensor2D>();
  return chunks.map((chunk) => {
    const key = chunk.rowLengths.join();
    const mask = known.get(key) ?? chunkMask(chunk, group);
    known.set(key, mask);
    return mask;
  });
};

/** The context without its masks, which only forwards need. */
export const withoutMasks = (context: BatchContext): BatchContext => {
  dispose([...context.attention.masks]);
  return { ...context, attention: { ...context.attention, masks: [] } };
};

/** The context for forwards again. */
export const withMasks = (context: BatchContext): BatchContext => {
  const { model, chunks } = context.attention;
  return { ...context, attention: { ...context.attention, masks: masksOf(chunks, model.headCount / model.keyValueHeadCount) } };
};

export const disposeBatchContext = ({ attention: { masks, rotation } }: BatchContext): void =>
  dispose([...masks, rotation.cosines, rotation.sines]);
