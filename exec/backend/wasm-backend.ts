import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { Candidate } from './candidate.ts';
import { hostDevice } from './host.ts';
import { replaceSlowWasmKernels } from './wasm-kernels.ts';

/** WebAssembly with SIMD (XNNPACK). One thread: every stage is a process of its own and has one core. */
export const wasmCandidate: Candidate = {
  prepare: () => {
    setThreadsCount(1);
    // The binaries lie in the installed package; its own guess would be a path beside the importing module.
    const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
    setWasmPaths(`${dirname(entry)}${sep}`);
    replaceSlowWasmKernels();
    return Promise.resolve(hostDevice(1));
  },
  reservedBytes: () =>
    (tf.backend() as unknown as { readonly wasm: { readonly HEAPU8: Uint8Array } }).wasm.HEAPU8.byteLength,
};
