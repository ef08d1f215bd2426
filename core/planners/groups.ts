import type { Workload } from '../workload.ts';

/** Adapters that share microbatches: their rows pass the frozen weights in one product (BatchLoRA). */
export type Group = readonly number[];

const meanTokens = (workload: Workload, adapter: number): number => {
  const { microbatches, part } = workload.adapters[adapter]!;
  let tokens = 0;
  for (let index = 0; index < microbatches; index++) tokens += part(0, index).tokens;
  return tokens;
};

/**
 * Spreads the adapters over at most `groupCount` groups of even work: heaviest adapter first, each to the lightest
 * group so far. With as many groups as devices this is the paper's merging of surplus adapters (Fig. 4f).
 */
export const formGroups = (workload: Workload, groupCount: number): Group[] => {
  const count = Math.min(groupCount, workload.adapters.length);
  const groups = Array.from({ length: count }, () => ({ tokens: 0, adapters: [] as number[] }));
  const byWeight = workload.adapters
    .map((_, adapter) => ({ adapter, tokens: meanTokens(workload, adapter) }))
    .sort((a, b) => b.tokens - a.tokens || a.adapter - b.adapter);
  for (const { adapter, tokens } of byWeight) {
    const lightest = groups.reduce((best, group) => (group.tokens < best.tokens ? group : best));
    lightest.adapters.push(adapter);
    lightest.tokens += tokens;
  }
  return groups.map(({ adapters }) => adapters.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);
};
