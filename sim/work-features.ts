import type { Kernel } from '../core/work/kernel.ts';

/** What the time of an op on a synchronous processor is made of. */
export const WORK_FEATURES = ['frozenFlop', 'adapterFlop', 'attentionFlop', 'byte', 'kernel', 'randomNumber', 'op'] as const;
export type WorkFeature = (typeof WORK_FEATURES)[number];

/** Amount of each feature, in the order of WORK_FEATURES. */
export const featuresOf = (kernels: readonly Kernel[]): number[] => {
  const total: Record<WorkFeature, number> = { ...NOTHING };
  for (const kernel of kernels) addKernel(total, kernel);
  return WORK_FEATURES.map((feature) => total[feature]);
};

/** Every op costs its own call, whatever it does. */
const NOTHING: Readonly<Record<WorkFeature, number>> = {
  frozenFlop: 0,
  adapterFlop: 0,
  attentionFlop: 0,
  byte: 0,
  kernel: 0,
  randomNumber: 0,
  op: 1,
};

/** Bytes are those of memory-bound kernels; products and attention are told apart by their FLOPs. */
const addKernel = (total: Record<WorkFeature, number>, kernel: Kernel): void => {
  total.kernel += kernel.count;
  switch (kernel.kind) {
    case 'gemm':
      total[kernel.weight === 'frozen' ? 'frozenFlop' : 'adapterFlop'] += 2 * kernel.m * kernel.n * kernel.k * kernel.count;
      return;
    case 'attention':
      total.attentionFlop += kernel.flops;
      return;
    case 'elementwise':
      total.byte += kernel.bytes;
      return;
    case 'random':
      total.randomNumber += kernel.elements;
      return;
  }
};
