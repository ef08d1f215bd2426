import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DropoutKey, dropoutMask } from '../../../exec/adapter/dropout.ts';
import { initialValues } from '../../../exec/adapter/initial-values.ts';
import { parameterLayout } from '../../../exec/adapter/parameter-layout.ts';
import { unpackParameters } from '../../../exec/adapter/named-parameters.ts';
import { generatorFor } from '../../../exec/adapter/random.ts';
import { MODULE_NAMES } from '../../../core/model/model.ts';
import { setupOf, tinyModel } from '../model/tiny-models.ts';

const moments = (values: Iterable<number>): { mean: number; variance: number } => {
  const all = [...values];
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return { mean, variance: all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length };
};

describe('initial values', () => {
  const model = tinyModel({ hiddenSize: 48, layerCount: 4 });
  const { adapter } = setupOf(0, { rank: 8, targetModules: ['q_proj', 'down_proj'] });
  const valuesOf = (first: number, end: number, seed: number) => {
    const layout = parameterLayout(model, { first, end }, adapter);
    return unpackParameters(layout, initialValues(layout, adapter, seed));
  };

  test('are uniform in ±1/√in for A and zero for B, as PEFT draws them', () => {
    for (const { name, shape, values } of valuesOf(0, 4, 3)) {
      if (name.includes('lora_B')) expect(values.every((value) => value === 0)).toBe(true);
      else {
        const bound = 1 / Math.sqrt(shape[1]!);
        expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
        const { mean, variance } = moments(values);
        // 8 × 20 values or more: four standard errors of a uniform distribution's mean and variance.
        const tolerance = 4 / Math.sqrt(values.length);
        expect(Math.abs(mean) / bound).toBeLessThan(tolerance / Math.sqrt(3));
        expect(Math.abs(variance / ((bound * bound) / 3) - 1)).toBeLessThan(tolerance);
      }
    }
  });

  test('do not depend on the stage cut, and differ by seed, layer and module', () => {
    expect([...valuesOf(0, 1, 3), ...valuesOf(1, 4, 3)]).toEqual(valuesOf(0, 4, 3));
    const firsts = [...valuesOf(0, 4, 3), ...valuesOf(0, 4, 4)]
      .filter(({ name }) => name.includes('lora_A'))
      .map(({ values }) => values[0]);
    expect(new Set(firsts).size).toBe(firsts.length);
  });
});

describe('dropout masks', () => {
  const key: DropoutKey = { seed: 1, step: 2, layer: 3, module: 'q_proj' };
  const mask = (lengths: readonly number[], firstRow = 0, changes: Partial<DropoutKey> = {}): Float32Array =>
    dropoutMask({ ...key, ...changes }, { lengths, firstRow }, 5, 0.25);

  test('drop the given share and scale the rest to the same mean', () => {
    const values = mask(Array.from({ length: 200 }, () => 20));
    expect(new Set(values)).toEqual(new Set([0, Math.fround(4 / 3)]));
    const dropped = values.filter((value) => value === 0).length / values.length;
    // 20,000 draws: the standard error of the share is 0.003.
    expect(Math.abs(dropped - 0.25)).toBeLessThan(0.012);
    expect(Math.abs(moments(values).mean - 1)).toBeLessThan(0.016);
  });

  test('of a row do not change with the rows before it or with the split of the mini-batch', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(
        lengths.chain((all) => fc.tuple(fc.constant(all), fc.integer({ min: 1, max: all.length - 1 }))),
        ([all, cut]) => {
          expect([...mask(all.slice(0, cut)), ...mask(all.slice(cut), cut)]).toEqual([...mask(all)]);
        },
      ),
    );
  });

  test('differ by seed, step, layer, module and row', () => {
    const masks = [
      mask([40]),
      mask([40], 1),
      mask([40], 0, { seed: 2 }),
      mask([40], 0, { step: 3 }),
      mask([40], 0, { layer: 2 }),
      mask([40], 0, { module: 'k_proj' }),
    ];
    expect(new Set(masks.map(String)).size).toBe(masks.length);
  });
});

test('generators of different keys start differently, whichever part differs', () => {
  const seeds = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
  const keys = seeds.flatMap((seed) =>
    [0, 1, 79].flatMap((layer) =>
      [...MODULE_NAMES.keys()].flatMap((module) => [
        [seed, layer, module],
        [layer, seed, module],
      ]),
    ),
  );
  const firsts = new Set(keys.map((key) => generatorFor(key).next()));
  expect(firsts.size).toBe(new Set(keys.map(String)).size);
});
