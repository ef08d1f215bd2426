import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerLinearParameters } from '../../../core/model/model.ts';
import { BASE_WEIGHTS, dequantisedBytes, frozenLinearBytes } from '../../../core/work/frozen-linear.ts';
import { countLaunches, totalFlops } from '../../../core/work/kernel.ts';
import { baseWeightBytes, savedBytes, temporaryBytes } from '../../../core/work/memory.ts';
import { backwardWork, forwardWork } from '../../../core/work/stage.ts';
import type { WorkSetting } from '../../../core/work/setting.ts';
import { middleLayers, rowsOf, settingOf, wholeModel } from './settings.ts';

const SHAPE = rowsOf(2, 512);
const LAYERS = middleLayers(4);
const heldAs = (baseWeights: WorkSetting['baseWeights'], elementBytes = 2): WorkSetting => ({
  ...settingOf('Llama-2-7B'),
  elementBytes,
  ...(baseWeights === undefined ? {} : { baseWeights }),
});

describe('quantised base weights', () => {
  it('take 8.03 bit a parameter in int8 and 4.127 bit in nf4', () => {
    const parameters = layerLinearParameters(settingOf('Llama-2-7B').model);
    expect((8 * frozenLinearBytes(heldAs('int8'))) / parameters).toBeCloseTo(8.007, 2);
    expect((8 * frozenLinearBytes(heldAs('nf4'))) / parameters).toBeCloseTo(4.127, 3);
    expect(frozenLinearBytes(heldAs('full'))).toBe(2 * parameters);
  });

  it('leave embedding, LM head and norms as they are', () => {
    const { model } = heldAs('nf4');
    const others = 2 * 2 * model.vocabularySize * model.hiddenSize + 2 * model.hiddenSize * (2 * model.layerCount + 1);
    expect(baseWeightBytes(heldAs('nf4'), wholeModel(model))).toBeCloseTo(others + model.layerCount * frozenLinearBytes(heldAs('nf4')), 3);
  });

  it('need a buffer for the largest weight of a layer in the activations’ type', () => {
    expect(dequantisedBytes(heldAs('full'), LAYERS)).toBe(0);
    expect(dequantisedBytes(heldAs('nf4'), LAYERS)).toBe(2 * 4096 * 11_008);
    expect(dequantisedBytes(heldAs('int8', 4), LAYERS)).toBe(4 * 4096 * 11_008);
  });

  it('cost kernels of their own and no arithmetic', () => {
    for (const work of [forwardWork, backwardWork]) {
      const [full, ...quantised] = BASE_WEIGHTS.map((name) => work(heldAs(name), LAYERS, SHAPE));
      for (const kernels of quantised) {
        expect(totalFlops(kernels)).toBe(totalFlops(full!));
        expect(countLaunches(kernels)).toBeGreaterThan(countLaunches(full!) + 4 * 7);
      }
    }
  });
});

describe('a stage that recomputes', () => {
  const again = { ...LAYERS, recompute: true };

  it('keeps the input of every layer only', () => {
    expect(savedBytes(heldAs('full'), again, SHAPE)).toBe(2 * 4 * 1024 * 4096);
  });

  it('runs the forward of its layers once more in backward', () => {
    const setting = heldAs('full');
    const [forward, backward] = [forwardWork(setting, LAYERS, SHAPE), backwardWork(setting, LAYERS, SHAPE)].map(totalFlops) as [number, number];
    expect(totalFlops(backwardWork(setting, again, SHAPE))).toBe(forward + backward);
    expect(totalFlops(forwardWork(setting, again, SHAPE))).toBe(forward);
  });

  it('has one layer’s activations back while it runs backward', () => {
    const setting = heldAs('full');
    const { forward, backward } = temporaryBytes(setting, LAYERS, SHAPE);
    expect(temporaryBytes(setting, again, SHAPE)).toEqual({ forward, backward: backward + savedBytes(setting, middleLayers(1), SHAPE) });
  });
});

describe('memory of a stage', () => {
  it('never shrinks with more tokens, whatever the weights and kernels', () => {
    const setting = fc.record({
      baseWeights: fc.constantFrom(...BASE_WEIGHTS),
      attention: fc.constantFrom('scores', 'flash'),
      elementwise: fc.constantFrom('eager', 'fused', 'tfjs'),
      elementBytes: fc.constantFrom(2, 4),
    });
    const content = fc.record({ layerCount: fc.integer({ min: 0, max: 5 }), embedding: fc.boolean(), head: fc.boolean(), recompute: fc.boolean() });
    const size = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(setting, content, size, size, (chosen, stage, a, b) => {
        const [fewer, more] = [Math.min(a, b), Math.max(a, b)].map((length) => {
          const { forward, backward } = temporaryBytes({ ...settingOf('Llama-3.1-8B'), ...chosen }, stage, rowsOf(1, length));
          return [savedBytes({ ...settingOf('Llama-3.1-8B'), ...chosen }, stage, rowsOf(1, length)), forward, backward];
        });
        fewer!.forEach((bytes, at) => expect(more![at]).toBeGreaterThanOrEqual(bytes));
      }),
    );
  });
});
