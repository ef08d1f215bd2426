import { describe, expect, it } from 'vitest';
import { lowerTransfers } from '../../core/plan/lower-transfers.ts';
import { planGpipe, planOneForwardOneBackward } from '../../core/planners/barrier.ts';
import { bubbleRatio } from '../../core/trace/metrics.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { traceOf } from './small-plan.ts';

const SIZES = [1, 2, 3, 5, 8];

describe.each([
  ['GPipe', planGpipe],
  ['1F1B', planOneForwardOneBackward],
] as const)('%s with equal times and free communication', (_name, planOf) => {
  it.each([1, 1.15, 2])('idles (D − 1)/(N + D − 1) of its time when a backward takes %s forwards (paper section 3.2)', (ratio) => {
    const cost = constantCost({ forwardNs: 1000, backwardNs: 1000 * ratio });
    for (const devices of SIZES) {
      for (const microbatches of SIZES) {
        const stages = Array.from({ length: devices }, (_, stage) => ({ device: stage, firstLayer: stage, endLayer: stage + 1 }));
        const part = () => ({ rows: 1, tokens: 1, squaredTokens: 1 });
        const adapter = { name: 'adapter', iterations: 1, microbatches, arrivalNs: 0, priority: 0, part };
        const plan = planOf({ adapters: [adapter] }, stages.map(({ device }) => `device${device}`), stages);
        const trace = traceOf(lowerTransfers(plan, cost, () => 0), cost, constantCluster(devices));
        expect(bubbleRatio(trace)).toBeCloseTo((devices - 1) / (microbatches + devices - 1), 12);
      }
    }
  });
});
