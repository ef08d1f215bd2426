import { existsSync } from 'node:fs';
import * as E from 'fp-ts/lib/Either.js';
import { BACKEND_NAMES, type Backend, type BackendName } from '../../../exec/backend/backend.ts';
import { openBackend } from '../../../exec/backend/open-backend.ts';
import { findTensorflow } from '../../../exec/backend/tensorflow-package.ts';

/** Debian's chromium package ships a renderer in software, which serves where no GPU's driver is named. */
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
if (process.env.VK_DRIVER_FILES === undefined && existsSync(SWIFTSHADER)) process.env.VK_DRIVER_FILES = SWIFTSHADER;

const hasTensorflow = (): boolean => {
  try {
    return findTensorflow().binding !== '';
  } catch {
    return false;
  }
};

/** Continuous integration has them all: there a backend that is missing fails, elsewhere its tests are left out. */
const isExpected = (name: BackendName): boolean => {
  if (process.env.CI_BACKENDS === 'required' || name === 'wasm' || name === 'cpu') return true;
  return name === 'tensorflow' ? hasTensorflow() : process.env.VK_DRIVER_FILES !== undefined;
};

/** The backends of this machine. */
export const BACKENDS: readonly BackendName[] = BACKEND_NAMES.filter(isExpected);

/** Those whose tensors can be read at once; WebGPU answers later. */
export const READABLE: readonly BackendName[] = BACKENDS.filter((name) => name !== 'webgpu');

/** Relative errors against a reference in higher precision, or against PyTorch, after a whole training run. */
export const TOLERANCES: Readonly<Record<BackendName, { readonly loss: number; readonly weights: number }>> = {
  tensorflow: { loss: 1e-5, weights: 1e-4 },
  // GPUs divide, and take roots and exponentials, to a few units in the last place.
  webgpu: { loss: 3e-5, weights: 3e-4 },
  wasm: { loss: 1e-5, weights: 1e-4 },
  cpu: { loss: 1e-5, weights: 1e-4 },
};

export const openOrThrow = async (name: BackendName): Promise<Backend> => {
  const backend = await openBackend(name);
  if (E.isLeft(backend)) throw new Error(backend.left.join('\n'));
  return backend.right;
};
