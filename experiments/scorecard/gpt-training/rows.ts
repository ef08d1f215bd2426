import { parse } from 'csv-parse/sync';
import type { Observation } from '../data-set.ts';
import { readShipped } from '../shipped-file.ts';

/** One training run: GPT with 16 heads and rows of 1,024 tokens. */
export interface GptRun {
  readonly hidden: number;
  readonly layers: number;
  /** Rows of an iteration over all devices. */
  readonly globalBatch: number;
  /** Rows of a microbatch on one device. */
  readonly microBatch: number;
  readonly tensorParallel: number;
  readonly dataParallel: number;
  readonly pipelineParallel: number;
}

type PublishedRow = Readonly<Record<keyof GptRun | 'id' | 'iterationMs', string>>;

export const readGptRuns = (): readonly Observation<GptRun, 'iteration'>[] =>
  (parse(readShipped('gpt-training/iterations.csv'), { columns: true, comment: '#' }) as unknown as readonly PublishedRow[]).map((row) => ({
    id: row.id,
    input: {
      hidden: Number(row.hidden),
      layers: Number(row.layers),
      globalBatch: Number(row.globalBatch),
      microBatch: Number(row.microBatch),
      tensorParallel: Number(row.tensorParallel),
      dataParallel: Number(row.dataParallel),
      pipelineParallel: Number(row.pipelineParallel),
    },
    measured: { iteration: Number(row.iterationMs) },
  }));
