import { type Tensor1D, memory, tensor1d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AdamW } from '../../../core/job.ts';
import { createAdamW } from '../../../exec/adapter/adamw.ts';
import type { OptimizerTask } from '../../../exec/adapter/optimizer-state.ts';
import { READABLE, openOrThrow } from '../model/backends.ts';
import { adamW } from '../model/tiny-models.ts';

const START = [0.5, -1.25, 2, 0, 1e-3];
const GRADIENTS = [
  [0.1, -0.2, 1e-6, 3, 0],
  [-0.05, 0.4, 2e-6, -1, 0],
  [0.3, 0, -5e-6, 2, 1e-9],
];

/** Parameters after each step, from torch.optim.AdamW(…, foreach=False) of PyTorch 2.15 on the CPU. */
const TORCH: readonly (readonly [Partial<AdamW>, readonly (readonly number[])[]])[] = [
  [
    { learningRate: 1e-2 },
    [
      [0.49000000953674316, -1.2400000095367432, 1.9900989532470703, -0.009999999776482582, 0.0010000000474974513],
      [0.4873366355895996, -1.2436610460281372, 1.980507731437683, -0.014002186246216297, 0.0010000000474974513],
      [0.48063161969184875, -1.2464910745620728, 1.983286738395691, -0.02003305032849312, 0.0006511474493891001],
    ],
  ],
  [
    { learningRate: 0.1, beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.5 },
    [
      [0.375990092754364, -1.087997555732727, 1.8999000787734985, -0.09996667504310608, 0.0009500000160187483],
      [0.3362120985984802, -1.0753098726272583, 1.8047497272491455, -0.13009808957576752, 0.0009025000035762787],
      [0.24934448301792145, -1.0520683526992798, 1.7146250009536743, -0.1832960844039917, 0.0008573340019211173],
    ],
  ],
];

const taskOf = (learningRate: number): OptimizerTask => ({
  size: START.length,
  learningRate: () => learningRate,
  multiples: null,
  start: null,
});

describe.each(READABLE)('AdamW on %s', (name) => {
  beforeAll(() => openOrThrow(name));

  test.each(TORCH)('with %j moves the parameters as PyTorch does', (settings, expected) => {
    const before = memory().numTensors;
    const optimizer = createAdamW(adamW(settings), taskOf(adamW(settings).learningRate));
    let parameters: Tensor1D = tensor1d(START);
    GRADIENTS.forEach((values, step) => {
      const gradient = tensor1d(values);
      const next = optimizer.update(parameters, gradient);
      parameters.dispose();
      gradient.dispose();
      parameters = next;
      [...parameters.dataSync()].forEach((value, index) => {
        const torch = expected[step]![index]!;
        expect(Math.abs(value - torch), `step ${step + 1}, parameter ${index}`).toBeLessThan(
          1e-6 * Math.max(Math.abs(torch), 0.1),
        );
      });
    });
    parameters.dispose();
    optimizer.dispose();
    expect(memory().numTensors).toBe(before);
  });
});
