import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';
import type { SingleGpuQuantity, SingleGpuRun } from './predict.ts';

type PublishedRow = SingleGpuRun & Readonly<Partial<Record<SingleGpuQuantity, number>>>;

export const readSingleGpu = (): readonly Observation<SingleGpuRun, SingleGpuQuantity>[] =>
  (readShippedJson('paper-single-gpu/steps.json') as { readonly rows: readonly PublishedRow[] }).rows.map(({ system, model, adapters, ...measured }) => ({
    id: `${system}-${model}-${adapters}`,
    input: { system, model, adapters },
    measured,
  }));
