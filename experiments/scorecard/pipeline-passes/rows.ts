import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';

/** One profiled pipeline: pass times of a stage in milliseconds. */
export interface PipelinePasses {
  readonly model: string;
  readonly stages: number;
  readonly microbatches: number;
  readonly microbatchRows: number;
  readonly forwardMs: number;
  /** Gradient of the input. */
  readonly backwardInputMs: number;
  /** Gradient of the weights. */
  readonly backwardWeightMs: number;
  readonly transferMs: number;
}

/** Bubble rate and throughput of 1F1B; `replayed` is the same throughput, for the replay without further causes. */
export type PipelineQuantity = 'bubble' | 'throughput' | 'replayed';

interface PublishedRow extends PipelinePasses {
  readonly bubble: number;
  /** Samples per second and GPU. */
  readonly throughput: number;
}

export const readPasses = (): readonly Observation<PipelinePasses, PipelineQuantity>[] =>
  (readShippedJson('pipeline-passes/passes.json') as { readonly rows: readonly PublishedRow[] }).rows.map(({ bubble, throughput, ...input }) => ({
    id: `${input.model}-m${input.microbatches}`,
    input,
    measured: { bubble, throughput, replayed: throughput },
  }));
