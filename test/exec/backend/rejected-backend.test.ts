import * as E from 'fp-ts/lib/Either.js';
import { expect, test, vi } from 'vitest';
import { openBackend } from '../../../exec/backend/open-backend.ts';

vi.mock('../../../exec/backend/tensorflow-backend.ts', () => ({
  tensorflowCandidate: { prepare: () => Promise.reject(new Error('no TensorFlow here')), reservedBytes: () => 0 },
}));
vi.mock('../../../exec/backend/webgpu-backend.ts', () => ({
  webgpuCandidate: { prepare: () => Promise.resolve({}), unwanted: () => 'a renderer in software', reservedBytes: () => 0 },
}));
vi.mock('../../../exec/backend/wasm-backend.ts', () => ({
  wasmCandidate: { prepare: () => Promise.reject(new Error('no WebAssembly here')), reservedBytes: () => 0 },
}));

test('auto takes the first backend that works and is worth it, and says why it did not take those before', async () => {
  const backend = await openBackend('auto');
  expect(E.isRight(backend) && backend.right.name).toBe('cpu');
  expect(E.isRight(backend) && backend.right.rejected).toEqual([
    'tensorflow: no TensorFlow here',
    'webgpu: a renderer in software',
    'wasm: no WebAssembly here',
  ]);
});

test('a backend asked for by name is not replaced by another', async () => {
  expect(await openBackend('wasm')).toEqual(E.left(['wasm: no WebAssembly here']));
});
