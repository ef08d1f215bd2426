import * as tf from '@tensorflow/tfjs-core';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { NonEmptyArray } from 'fp-ts/lib/NonEmptyArray.js';
import { messageOf } from '../../core/error-message.ts';
import { BACKEND_NAMES, type Backend, type BackendMemory, type BackendName } from './backend.ts';
import type { Candidate } from './candidate.ts';
import { type DeviceInfo, type DeviceRequest, NO_REQUEST } from './device.ts';

const candidates: Record<BackendName, () => Promise<Candidate>> = {
  tensorflow: async () => (await import('./tensorflow-backend.ts')).tensorflowCandidate,
  webgpu: async () => (await import('./webgpu-backend.ts')).webgpuCandidate,
  wasm: async () => (await import('./wasm-backend.ts')).wasmCandidate,
  cpu: async () => (await import('./cpu-backend.ts')).cpuCandidate,
};

/**
 * Opens a backend and makes it the process's current one; `auto` takes the first that multiplies two matrices rightly.
 * Left holds one sentence for each backend tried, with the reason it does not work here.
 */
export const openBackend = async (
  name: BackendName | 'auto',
  request: DeviceRequest = NO_REQUEST,
): Promise<E.Either<NonEmptyArray<string>, Backend>> => {
  const rejected: string[] = [];
  for (const tried of name === 'auto' ? BACKEND_NAMES : [name]) {
    try {
      const candidate = await candidates[tried]();
      const device = await candidate.prepare(request);
      const unwanted = name === 'auto' ? (candidate.unwanted?.(device) ?? null) : null;
      if (unwanted !== null) throw new Error(unwanted);
      await bringUp(tried);
      return E.right(openedBackend(tried, candidate, { device, rejected }));
    } catch (error) {
      rejected.push(`${tried}: ${messageOf(error)}`);
    }
  }
  return isNonEmpty(rejected) ? E.left(rejected) : E.left(['no backend is known']);
};

const bringUp = async (name: BackendName): Promise<void> => {
  tf.enableProdMode();
  if (!(await tf.setBackend(name))) throw new Error('TensorFlow.js could not initialise it');
  await tf.ready();
  await checkMatMul();
};

/** A backend that starts is not yet one that computes: drivers and binaries fail at the first kernel. */
const checkMatMul = async (): Promise<void> => {
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])));
  const values = Array.from(await product.data());
  product.dispose();
  const expected = [19, 22, 43, 50];
  if (expected.some((value, index) => Math.abs(value - (values[index] ?? NaN)) > 1e-3)) {
    throw new Error(`a 2×2 product gave ${values.join(', ')} instead of ${expected.join(', ')}`);
  }
};

/** A device computes in the order of the calls: the last result waits for all others. */
const finish = async (): Promise<void> => {
  const last = tf.tidy(() => tf.add(tf.zeros([1]), 1));
  await last.data();
  last.dispose();
};

interface Opened {
  readonly device: DeviceInfo;
  readonly rejected: readonly string[];
}

const openedBackend = (name: BackendName, candidate: Candidate, opened: Opened): Backend => ({
  name,
  ...opened,
  read: async (tensor) => (await tensor.data()) as Float32Array,
  finish: name === 'webgpu' || opened.device.kind === 'gpu' ? finish : null,
  memory: (): BackendMemory => {
    const { numTensors, numBytes } = tf.memory();
    return {
      tensorCount: numTensors,
      tensorBytes: numBytes,
      get reservedBytes() {
        return candidate.reservedBytes();
      },
    };
  },
  dispose: () => {
    removeBackend(name);
    candidate.dispose?.();
  },
});

/** TensorFlow.js forgets the factory with the backend; putting it back lets the same process open it again. */
const removeBackend = (name: BackendName): void => {
  const factory = tf.findBackendFactory(name);
  tf.removeBackend(name);
  tf.registerBackend(name, factory);
};
