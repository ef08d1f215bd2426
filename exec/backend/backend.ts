import type { Tensor } from '@tensorflow/tfjs-core';
import type { DeviceInfo } from './device.ts';

/** Names of the tensor backends, in the order in which `auto` tries them. */
export const BACKEND_NAMES = ['tensorflow', 'webgpu', 'wasm', 'cpu'] as const;

export type BackendName = (typeof BACKEND_NAMES)[number];

/** What the backend holds at this moment. */
export interface BackendMemory {
  readonly tensorCount: number;
  readonly tensorBytes: number;
  /** Memory claimed from the system or the device, weights packed by the backend and fragmentation included. */
  readonly reservedBytes: number;
}

/** The tensor backend of this process. Tensors are TensorFlow.js tensors; they live on the backend opened last. */
export interface Backend {
  readonly name: BackendName;
  /** What it computes on. */
  readonly device: DeviceInfo;
  /** Why the backends that `auto` tried before this one do not work, one sentence each. */
  readonly rejected: readonly string[];
  /** Copies the values of a float32 tensor off the device, row-major; the tensor must live until the promise settles. */
  readonly read: (tensor: Tensor) => Promise<Float32Array>;
  /** Settles when everything that was launched is computed; null where a call returns with its result. */
  readonly finish: (() => Promise<void>) | null;
  readonly memory: () => BackendMemory;
  /** Frees every tensor of the backend and the backend itself. */
  readonly dispose: () => void;
}
