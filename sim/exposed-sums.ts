import { collectiveTime, type RankGroup } from '../core/cluster/collective-algorithm.ts';
import type { CollectiveCost } from '../core/cost-model.ts';
import type { Kernel } from '../core/work/kernel.ts';
import type { SumsBeside } from '../core/work/released-tensor-parallel.ts';

/**
 * What of a backward's collectives is left when its products are done: of each that runs beside a product, the share that
 * takes longer. It is never more on faster links, and a faster device saves more in the product than it exposes.
 */
export const exposedSums = (
  cost: CollectiveCost,
  beside: readonly SumsBeside[],
  { group, timeNs }: { readonly group: RankGroup; readonly timeNs: (kernels: readonly Kernel[]) => number },
): CollectiveCost => {
  let { bytes, calls } = cost;
  for (const each of beside) {
    const { latencyNs, wireBytes } = collectiveTime(group, true, each);
    const hidden = each.layers * Math.min(1, timeNs(each.products) / (latencyNs + wireBytes / group.bytesPerNs));
    bytes -= hidden * each.bytes;
    calls -= hidden * each.calls;
  }
  return { ...cost, bytes, calls };
};
