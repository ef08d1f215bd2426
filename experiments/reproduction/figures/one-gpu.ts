import type { PaperModel, PaperRun } from '../paper-run.ts';

/** The single-GPU runs of Figures 14 to 16: int8 weights, recomputation, a whole mini-batch as one microbatch. */
export const oneGpu = (model: PaperModel, system: 'peft' | 'batchLora', adapters: number): PaperRun => ({
  model,
  system,
  gpu: 'A6000',
  gpus: 1,
  adapters,
});

export const ONE_GPU_SERIES = [
  ['PEFT', 'peft'],
  ['BatchLoRA', 'batchLora'],
] as const;

/** The most adapters that fit one A6000 (Figures 7 and 15). */
export const MOST_ADAPTERS: Readonly<Partial<Record<string, number>>> = { '1.1B': 12, '7B': 5, '13B': 3 };

export const FITTED_ONE_GPU = ['Costs of int8 products and of launches: device profile of the A6000 (`sim/profiles`), which names its rows.'];
