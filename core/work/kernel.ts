/**
 * Work of a device as a list of kernels. A list, not one sum: a cost model times small and large products, products
 * and memory-bound kernels differently, and a measured table wants their shapes.
 */
export type Kernel = Gemm | AttentionKernel | ElementwiseKernel | RandomKernel;

/** `count` launches of a dense product [m, k]·[k, n]. */
export interface Gemm {
  readonly kind: 'gemm';
  /** Whether one factor is a frozen base weight or belongs to an adapter. */
  readonly weight: 'frozen' | 'adapter';
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Bytes that one launch reads and writes. */
  readonly bytes: number;
  readonly count: number;
  /** Arithmetic of the product; absent: that of the run's precision. */
  readonly arithmetic?: 'int8';
}

/** `count` launches that together compute one attention over rows of any lengths. */
export interface AttentionKernel {
  readonly kind: 'attention';
  /** Of all launches together. */
  readonly flops: number;
  /** Read and written by all launches together. */
  readonly bytes: number;
  readonly count: number;
}

/** Memory-bound kernels that are measured apart; `plain` is every other one. */
export type ElementwiseForm = 'plain' | 'norm' | 'activation' | 'rope';

/** `count` memory-bound launches that together move `bytes`. */
export interface ElementwiseKernel {
  readonly kind: 'elementwise';
  readonly form: ElementwiseForm;
  readonly bytes: number;
  readonly count: number;
}

/** `count` draws that together make `elements` random numbers on the host, one after the other. */
export interface RandomKernel {
  readonly kind: 'random';
  readonly elements: number;
  readonly count: number;
}

/** FLOPs of all launches of a kernel; memory-bound kernels count none. */
export const kernelFlops = (kernel: Kernel): number => {
  switch (kernel.kind) {
    case 'gemm':
      return 2 * kernel.m * kernel.n * kernel.k * kernel.count;
    case 'attention':
      return kernel.flops;
    case 'elementwise':
    case 'random':
      return 0;
  }
};

/** Bytes that all launches of a kernel read and write. */
export const kernelBytes = (kernel: Kernel): number => {
  switch (kernel.kind) {
    case 'gemm':
      return kernel.bytes * kernel.count;
    case 'attention':
    case 'elementwise':
      return kernel.bytes;
    case 'random':
      return 0;
  }
};

const sum = (kernels: readonly Kernel[], of: (kernel: Kernel) => number): number =>
  kernels.reduce((total, kernel) => total + of(kernel), 0);

export const totalFlops = (kernels: readonly Kernel[]): number => sum(kernels, kernelFlops);

/** Bytes that the kernels read and write, each tensor once per kernel. */
export const totalBytes = (kernels: readonly Kernel[]): number => sum(kernels, kernelBytes);

export const countLaunches = (kernels: readonly Kernel[]): number => sum(kernels, (kernel) => kernel.count);

/** The same kernels executed `times` times. */
export const repeatKernels = (kernels: readonly Kernel[], times: number): Kernel[] =>
  times === 0 ? [] : kernels.map((kernel) => repeatKernel(kernel, times));

const repeatKernel = (kernel: Kernel, times: number): Kernel => {
  switch (kernel.kind) {
    case 'gemm':
      return { ...kernel, count: kernel.count * times };
    case 'attention':
      return { ...kernel, flops: kernel.flops * times, bytes: kernel.bytes * times, count: kernel.count * times };
    case 'elementwise':
      return { ...kernel, bytes: kernel.bytes * times, count: kernel.count * times };
    case 'random':
      return { ...kernel, elements: kernel.elements * times, count: kernel.count * times };
  }
};
