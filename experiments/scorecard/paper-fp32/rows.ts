import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';
import { STEP_TOKENS, type PipelineQuantity, type PipelineRun } from './predict.ts';

interface PublishedRow {
  readonly model: string;
  /** null: Fig. 10, which does not say how many. */
  readonly adapters: number | null;
  readonly tokensPerSecond?: number;
  readonly withoutOverlap?: number;
  readonly computeShare?: number;
}

const measuredOf = ({ tokensPerSecond, withoutOverlap, computeShare }: PublishedRow): Partial<Record<PipelineQuantity, number>> =>
  tokensPerSecond !== undefined ? { tokensPerSecond } : { computeMs: ((STEP_TOKENS * 1e3) / withoutOverlap!) * computeShare! };

export const readPipelines = (): readonly Observation<PipelineRun, PipelineQuantity>[] =>
  (readShippedJson('paper-fp32/throughput.json') as { readonly rows: readonly PublishedRow[] }).rows.map((row) => ({
    id: `${row.model}-${row.adapters ?? 'compute'}`,
    input: { model: row.model },
    measured: measuredOf(row),
  }));
