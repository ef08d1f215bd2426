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

interface PublishedRow extends PipelinePasses {
  readonly bubble: number;
  /** Of 1F1B, measured; samples per second and GPU. */
  readonly throughput: number;
}

export const readPasses = (): readonly Observation<PipelinePasses, 'bubble' | 'throughput'>[] =>
  (readShippedJson('pipeline-passes/passes.json') as { readonly rows: readonly PublishedRow[] }).rows.map(({ bubble, throughput, ...input }) => ({
    id: `${input.model}-m${input.microbatches}`,
    input,
    measured: { bubble, throughput },
  }));
