import type { NamedArray } from '../stage.ts';

/** Puts an adapter's weights together from its stages; tells `onComplete` once, when the last stage has sent its part. */
export const createWeightCollector = (
  stageCount: number,
  onComplete: (adapter: number, weights: readonly NamedArray[]) => void,
): ((adapter: number, stage: number, weights: readonly NamedArray[]) => void) => {
  const collected = new Map<number, (readonly NamedArray[])[]>();
  return (adapter, stage, weights) => {
    const stages = collected.get(adapter) ?? [];
    collected.set(adapter, stages);
    stages[stage] = weights;
    if (Object.keys(stages).length === stageCount) onComplete(adapter, stages.flat());
  };
};
