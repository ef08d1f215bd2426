/** What the layers of a model cost, in any one unit of work or time. */
export interface LayerCosts {
  readonly layers: readonly number[];
  /** On top of the first stage's layers. */
  readonly embedding: number;
  /** On top of the last stage's layers. */
  readonly head: number;
}

/** Layers of one stage, `endLayer` exclusive. */
export interface LayerRange {
  readonly firstLayer: number;
  readonly endLayer: number;
}

/** Sums of the same layers in another order may differ by rounding: that is no reason to prefer a less even cut. */
const ROUNDING = 1e-12;

/** Cost of a stage of the layers [first, end). */
type StageCost = (first: number, end: number) => number;

const stageCost = ({ layers, embedding, head }: LayerCosts): StageCost => {
  const sums = [0];
  for (const cost of layers) sums.push(sums.at(-1)! + cost);
  return (first, end) => sums[end]! - sums[first]! + (first === 0 ? embedding : 0) + (end === layers.length ? head : 0);
};

/**
 * The cut of `layerCount` layers into `stageCount` stages whose costs, put together by `combine`, are least. The last
 * stage of the best cut of [0, end) leaves a best cut of what is before it, so each is found from shorter ones. Of
 * equal cuts the one with fewer layers in front wins: the first stages hold the most microbatches.
 */
const bestCut = (
  layerCount: number,
  stageCount: number,
  cost: StageCost,
  combine: (before: number, stage: number) => number,
): { readonly cost: number; readonly ranges: LayerRange[] } => {
  let before = Float64Array.from({ length: layerCount + 1 }, (_, end) => (end === 0 ? 0 : Infinity));
  const firstLayers: Uint32Array[] = [];
  for (let stage = 0; stage < stageCount; stage++) {
    const costs = new Float64Array(layerCount + 1).fill(Infinity);
    const firsts = new Uint32Array(layerCount + 1);
    for (let end = stage + 1; end <= layerCount; end++) {
      for (let first = stage; first < end; first++) {
        const total = combine(before[first]!, cost(first, end));
        if (total < costs[end]!) [costs[end], firsts[end]] = [total, first];
      }
    }
    firstLayers.push(firsts);
    before = costs;
  }
  return { cost: before[layerCount]!, ranges: rangesOf(firstLayers, layerCount) };
};

const rangesOf = (firstLayers: readonly Uint32Array[], layerCount: number): LayerRange[] => {
  let endLayer = layerCount;
  const backwards = firstLayers.toReversed().map((firsts) => {
    const range = { firstLayer: firsts[endLayer]!, endLayer };
    endLayer = range.firstLayer;
    return range;
  });
  return backwards.toReversed();
};

/**
 * Cuts a model into `stageCount` stages of consecutive layers, at least one each, so that the most expensive stage is
 * as cheap as possible; of such cuts the most even one (least sum of squares). Exact, by dynamic programming in
 * O(stages × layers²). Throws when there are fewer layers than stages.
 */
export const partitionLayers = (costs: LayerCosts, stageCount: number): LayerRange[] => {
  const layerCount = costs.layers.length;
  if (stageCount < 1 || stageCount > layerCount) {
    throw new RangeError(`${layerCount} layers cannot form ${stageCount} stages`);
  }
  const cost = stageCost(costs);
  const least = bestCut(layerCount, stageCount, cost, Math.max).cost * (1 + ROUNDING);
  const square = (stage: number): number => (stage <= least ? stage * stage : Infinity);
  return bestCut(layerCount, stageCount, cost, (before, stage) => before + square(stage)).ranges;
};
