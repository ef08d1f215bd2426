import { memory, square, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { countKernels, onesLikeHidden, openProducts } from '../../../exec/backend/measure.ts';
import { openOrThrow } from '../model/backends.ts';

describe('measuring a backend', () => {
  beforeAll(() => openOrThrow('cpu'));

  test('runs the products of the given shapes and leaves nothing behind', async () => {
    const before = memory().numTensors;
    const products = openProducts([
      { rows: 2, inputSize: 3, outputSize: 4 },
      { rows: 5, inputSize: 1, outputSize: 1 },
    ]);
    expect(products.flops).toBe(2 * 2 * 3 * 4 + 2 * 5);
    expect(await countKernels(products.run)).toBe(2);
    products.dispose();
    expect(memory().numTensors).toBe(before);
  });

  test('counts the kernels of a call', async () => {
    expect(await countKernels(() => tidy(() => void square(square(tensor1d([1, 2])))))).toBe(2);
  });

  test('makes hidden states of the right shape', () => {
    const hidden = onesLikeHidden(3, 5);
    expect(hidden.shape).toEqual([3, 5]);
    hidden.dispose();
  });
});
