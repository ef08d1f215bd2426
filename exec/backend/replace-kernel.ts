import { type KernelFunc, type NamedAttrMap, type NamedTensorInfoMap, type TensorInfo, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';

/** What a kernel is called with. */
export interface KernelCall {
  readonly inputs: NamedTensorInfoMap;
  readonly backend: unknown;
  readonly attrs?: NamedAttrMap;
}

const replaced = new Set<string>();

/** Puts another kernel in the place of a backend's own, once in a process. */
export const replaceKernel = (
  backendName: string,
  kernelName: string,
  replacement: (original: KernelFunc) => KernelFunc,
): void => {
  const key = `${backendName} ${kernelName}`;
  if (replaced.has(key)) return;
  const original = getKernel(kernelName, backendName);
  unregisterKernel(kernelName, backendName);
  registerKernel({ ...original, kernelFunc: replacement(original.kernelFunc) });
  replaced.add(key);
};

/** An input of a call by its name. */
export const inputOf = (call: KernelCall, name: string): TensorInfo => {
  const tensor = call.inputs[name];
  if (tensor === undefined) throw new Error(`kernel called without its input ${name}`);
  return tensor;
};
