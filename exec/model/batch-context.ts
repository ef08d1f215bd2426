import type { Tensor } from '@tensorflow/tfjs-core';
import type { Model } from '../../core/model/model.ts';
import type { RowSpan } from '../adapter/dropout.ts';
import type { LoadedAdapter } from '../adapter/loaded-adapter.ts';
import type { PackedBatch } from '../packed-batch.ts';
import { type AttentionContext, type RotaryConstants, createAttentionContext, disposeAttentionContext } from './attention.ts';
import { type BatchLayout, type RowRange, layOutBatch } from './batch-layout.ts';

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
  const parts = batch.parts.map(({ adapter: index, rows }, part) => {
    const adapter = adapterOf(index);
    const firstRow = training ? adapter.takeRows(rows.length) : 0;
    const lengths = rows.map(({ tokens }) => tokens.length);
    return { range: layout.parts[part]!, adapter, rows: { lengths, firstRow }, training, gradients: new Map() };
  });
  return { layout, parts, attention: createAttentionContext(model, layout, rotary) };
};

export const disposeBatchContext = ({ attention }: BatchContext): void => disposeAttentionContext(attention);
