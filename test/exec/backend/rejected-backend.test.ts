import * as E from 'fp-ts/lib/Either.js';
import { expect, test, vi } from 'vitest';
import { openBackend } from '../../../exec/backend/open-backend.ts';

vi.mock('../../../exec/backend/wasm-backend.ts', () => ({
  wasmCandidate: {
    prepare: () => Promise.reject(new Error('no WebAssembly here')),
    reservedBytes: () => 0,
  },
}));

test('auto goes on to the next backend and says why it did not take the first', async () => {
  const backend = await openBackend('auto');
  expect(E.isRight(backend) && backend.right.name).toBe('cpu');
  expect(E.isRight(backend) && backend.right.rejected).toEqual(['wasm: no WebAssembly here']);
});

test('a backend asked for by name is not replaced by another', async () => {
  expect(await openBackend('wasm')).toEqual(E.left(['wasm: no WebAssembly here']));
});
