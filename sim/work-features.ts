import type { Gemm, Kernel } from '../core/work/kernel.ts';

/** What the time of an op on a synchronous processor is made of. */
export const WORK_FEATURES = ['productFlop', 'attentionByte', 'byte', 'kernel', 'randomNumber'] as const;
export type WorkFeature = (typeof WORK_FEATURES)[number];

/** Amount of each feature, in the order of WORK_FEATURES. */
export const featuresOf = (kernels: readonly Kernel[]): number[] => {
  const total: Record<WorkFeature, number> = { ...NOTHING };
  for (const kernel of kernels) addKernel(total, kernel);
  return WORK_FEATURES.map((feature) => total[feature]);
};

const NOTHING: Readonly<Record<WorkFeature, number>> = { productFlop: 0, attentionByte: 0, byte: 0, kernel: 0, randomNumber: 0 };

/** All products have one rate, those inside attention too; what attention does besides is told by the bytes it moves. */
const addKernel = (total: Record<WorkFeature, number>, kernel: Kernel): void => {
  total.kernel += kernel.count;
  switch (kernel.kind) {
    case 'gemm':
      total.productFlop += executedFlop(kernel) * kernel.count;
      return;
    case 'attention':
      total.productFlop += kernel.flops;
      total.attentionByte += kernel.bytes;
      return;
    case 'elementwise':
      total.byte += kernel.bytes;
      return;
    case 'random':
      total.randomNumber += kernel.elements;
      return;
  }
};

/** Columns that XNNPACK's WebAssembly kernels compute at once (`f32-gemm/*x8-minmax-wasmsimd`): a product of 4 takes as long as one of 8. */
const TILE_COLUMNS = 8;

const executedFlop = ({ m, n, k }: Gemm): number => 2 * m * k * TILE_COLUMNS * Math.ceil(n / TILE_COLUMNS);
