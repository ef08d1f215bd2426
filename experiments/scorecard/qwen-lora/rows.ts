import type { Observation } from '../data-set.ts';
import { readShippedJson } from '../shipped-file.ts';
import type { QwenQuantity, QwenRun } from './predict.ts';

interface PublishedRow extends QwenRun {
  readonly memoryGB: number;
  readonly stepSeconds: number;
}

export const readQwen = (): readonly Observation<QwenRun, QwenQuantity>[] =>
  (readShippedJson('qwen-lora/steps.json') as { readonly rows: readonly PublishedRow[] }).rows.map(({ memoryGB, stepSeconds, ...input }) => ({
    id: `${input.model}-${input.length}`,
    input,
    measured: { memoryGB, stepSeconds },
  }));
