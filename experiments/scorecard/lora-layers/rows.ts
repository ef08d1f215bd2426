import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';
import type { LayerRun } from './predict.ts';

interface PublishedRow extends LayerRun {
  readonly forwardMs: number;
  /** Forward and backward. */
  readonly layerMs: number;
}

export type LayerQuantity = 'forwardMs' | 'layerMs' | 'backwardRatio';

export const readLayers = (): readonly Observation<LayerRun, LayerQuantity>[] =>
  (readShippedJson('lora-layers/layers.json') as { readonly rows: readonly PublishedRow[] }).rows.map(({ forwardMs, layerMs, ...input }) => ({
    id: `${input.model}-${input.tokens}`,
    input,
    measured: { forwardMs, layerMs, backwardRatio: layerMs / forwardMs - 1 },
  }));
