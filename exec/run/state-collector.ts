import type { AdapterState } from '../stage.ts';
import { createWeightCollector } from './weight-collector.ts';

/** Puts checkpoints together from the stages' parts, which may reach the coordinator in any order. */
export const createStateCollector = (
  stageCount: number,
  onComplete: (adapter: number, state: AdapterState) => void,
): ((adapter: number, stage: number, part: AdapterState) => void) => {
  const collectors = new Map<string, ReturnType<typeof createWeightCollector>>();
  return (adapter, stage, { iteration, tensors }) => {
    const name = `${adapter}.${iteration}`;
    const collect =
      collectors.get(name) ??
      createWeightCollector(stageCount, (_, all) => {
        collectors.delete(name);
        onComplete(adapter, { iteration, tensors: all });
      });
    collectors.set(name, collect);
    collect(adapter, stage, tensors);
  };
};
