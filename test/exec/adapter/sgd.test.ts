import { type Tensor1D, memory, tensor1d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Sgd } from '../../../core/job.ts';
import { createOptimizer } from '../../../exec/adapter/optimizer.ts';
import { READABLE, openOrThrow } from '../model/backends.ts';

const START = [0.5, -1.25, 2, 0, 1e-3];
const GRADIENTS = [
  [0.1, -0.2, 1e-6, 3, 0],
  [-0.05, 0.4, 2e-6, -1, 0],
  [0.3, 0, -5e-6, 2, 1e-9],
];

const sgd = (changes: Partial<Sgd>): Sgd => ({
  type: 'sgd',
  learningRate: 0.1,
  learningRateRatio: 1,
  maxGradientNorm: null,
  schedule: { type: 'constant', warmup: 0 },
  momentum: 0,
  weightDecay: 0,
  ...changes,
});

/** Parameters after three steps, from torch.optim.SGD(…, foreach=False) of PyTorch 2.15 on the CPU. */
const TORCH: readonly (readonly [Partial<Sgd>, readonly number[]])[] = [
  [{ learningRate: 0.1 }, [0.4650000035762787, -1.2699999809265137, 2.000000238418579, -0.40000003576278687, 0.0009999999310821295]],
  [
    { learningRate: 0.05, momentum: 0.9, weightDecay: 0.5 },
    [0.40797653794288635, -1.089761734008789, 1.725468635559082, -0.3985937237739563, 0.000862734392285347],
  ],
];

describe.each(READABLE)('SGD on %s', (name) => {
  beforeAll(() => openOrThrow(name));

  /** Parameters after all gradients; every parameter learns `multiple` times as fast. */
  const descend = (settings: Sgd, multiple?: number): number[] => {
    const optimizer = createOptimizer(settings, {
      size: START.length,
      learningRate: () => settings.learningRate,
      multiples: multiple === undefined ? null : new Float32Array(START.length).fill(multiple),
      start: null,
    });
    let parameters: Tensor1D = tensor1d(START);
    for (const values of GRADIENTS) {
      const gradient = tensor1d(values);
      const next = optimizer.update(parameters, gradient);
      parameters.dispose();
      gradient.dispose();
      parameters = next;
    }
    const result = [...parameters.dataSync()];
    parameters.dispose();
    optimizer.dispose();
    return result;
  };

  test.each(TORCH)('with %j moves the parameters as PyTorch does', (settings, expected) => {
    const before = memory().numTensors;
    descend(sgd(settings)).forEach((value, index) =>
      expect(Math.abs(value - expected[index]!), `parameter ${index}`).toBeLessThan(1e-6),
    );
    expect(memory().numTensors).toBe(before);
  });

  test('with a multiple of its rate moves as with the larger rate', () => {
    const larger = descend(sgd({ learningRate: 0.8, momentum: 0.9 }));
    descend(sgd({ learningRate: 0.1, momentum: 0.9 }), 8).forEach((value, index) =>
      expect(value).toBeCloseTo(larger[index]!, 5),
    );
  });
});
