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

export const FITTED_ONE_GPU: readonly string[] = [
  'Share of the int8 peak and launch time of a kernel, on the rows of 7B (scorecard paper-single-gpu).',
];

export const LEFT_OPEN_ONE_GPU: readonly string[] = [
  'What a launch is: the paper’s launch time is 5.6, 12.4 and 7.3 ms a layer for 1.1B, 7B and 13B, whose layers have the same kernels. No count of kernels gives that; a profiler’s trace would.',
];
