import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { embeddingParameters, layerLinearParameters } from '../../../core/model/model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { partitionLayers, type LayerCosts, type LayerRange } from '../../../core/partition.ts';

/** All cuts of `layerCount` layers into `stageCount` non-empty ranges. */
const allCuts = (layerCount: number, stageCount: number, firstLayer = 0): LayerRange[][] => {
  if (stageCount === 1) return [[{ firstLayer, endLayer: layerCount }]];
  const cuts: LayerRange[][] = [];
  for (let endLayer = firstLayer + 1; endLayer <= layerCount - stageCount + 1; endLayer++) {
    for (const rest of allCuts(layerCount, stageCount - 1, endLayer)) cuts.push([{ firstLayer, endLayer }, ...rest]);
  }
  return cuts;
};

const stageCosts = ({ layers, embedding, head }: LayerCosts, cut: readonly LayerRange[]): number[] =>
  cut.map(({ firstLayer, endLayer }, stage) => {
    const own = layers.slice(firstLayer, endLayer).reduce((sum, cost) => sum + cost, 0);
    return own + (stage === 0 ? embedding : 0) + (stage === cut.length - 1 ? head : 0);
  });

const maximum = (costs: readonly number[]): number => Math.max(...costs);
const squares = (costs: readonly number[]): number => costs.reduce((sum, cost) => sum + cost * cost, 0);

const cost = fc.integer({ min: 0, max: 20 });
const problem = fc
  .record({ layers: fc.array(cost, { minLength: 1, maxLength: 9 }), embedding: cost, head: cost })
  .chain((costs) => fc.tuple(fc.constant(costs), fc.integer({ min: 1, max: costs.layers.length })));

describe('the partition of a model', () => {
  it('covers all layers in order, at least one per stage', () => {
    fc.assert(
      fc.property(problem, ([costs, stageCount]) => {
        const cut = partitionLayers(costs, stageCount);
        expect(cut).toHaveLength(stageCount);
        expect(cut.map(({ firstLayer }) => firstLayer)).toEqual([
          0,
          ...cut.slice(0, -1).map(({ endLayer }) => endLayer),
        ]);
        expect(cut.at(-1)!.endLayer).toBe(costs.layers.length);
        expect(cut.every(({ firstLayer, endLayer }) => firstLayer < endLayer)).toBe(true);
      }),
    );
  });

  it('has the least possible maximum, and of those cuts the least sum of squares', () => {
    fc.assert(
      fc.property(problem, ([costs, stageCount]) => {
        const cuts = allCuts(costs.layers.length, stageCount).map((cut) => stageCosts(costs, cut));
        const least = Math.min(...cuts.map(maximum));
        const evenest = Math.min(...cuts.filter((stages) => maximum(stages) === least).map(squares));
        const found = stageCosts(costs, partitionLayers(costs, stageCount));
        expect([maximum(found), squares(found)]).toEqual([least, evenest]);
      }),
      { numRuns: 300 },
    );
  });

  it('has the least possible maximum for costs that are not whole numbers too', () => {
    const real = fc.double({ min: 0.1, max: 10, noNaN: true });
    const costs = fc.record({ layers: fc.array(real, { minLength: 4, maxLength: 8 }), embedding: real, head: real });
    fc.assert(
      fc.property(costs, fc.integer({ min: 1, max: 4 }), (given, stageCount) => {
        const least = Math.min(
          ...allCuts(given.layers.length, stageCount).map((cut) => maximum(stageCosts(given, cut))),
        );
        expect(maximum(stageCosts(given, partitionLayers(given, stageCount)))).toBeCloseTo(least, 9);
      }),
    );
  });

  it('gives the stage with the LM head fewer layers where the head weighs much', () => {
    const model = MODEL_PRESETS.get('Llama-3.1-8B')!;
    const layer = layerLinearParameters(model);
    const head = embeddingParameters(model);
    const layers = Array<number>(model.layerCount).fill(layer);
    const eightEach = [0, 8, 16, 24].map((firstLayer) => ({ firstLayer, endLayer: firstLayer + 8 }));
    const even = stageCosts({ layers, embedding: 0, head }, eightEach);
    expect(even[3]! / even[0]!).toBeGreaterThan(1.25);
    const cut = partitionLayers({ layers, embedding: 0, head }, 4);
    expect(cut.map(({ firstLayer, endLayer }) => endLayer - firstLayer)).toEqual([8, 9, 9, 6]);
  });

  it('puts the smaller of equal stages first, where most microbatches are held', () => {
    const sizes = partitionLayers({ layers: [1, 1, 1, 1, 1], embedding: 0, head: 0 }, 2);
    expect(sizes).toEqual([
      { firstLayer: 0, endLayer: 2 },
      { firstLayer: 2, endLayer: 5 },
    ]);
  });

  it('is refused where there are too few layers', () => {
    expect(() => partitionLayers({ layers: [1, 1], embedding: 0, head: 0 }, 3)).toThrow(
      '2 layers cannot form 3 stages',
    );
    expect(() => partitionLayers({ layers: [1, 1], embedding: 0, head: 0 }, 0)).toThrow(RangeError);
  });
});
