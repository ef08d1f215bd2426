import { describe, expect, it } from 'vitest';
import { lowerTransfers } from '../../core/plan/lower-transfers.ts';
import { planOneForwardOneBackward } from '../../core/planners/barrier.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { NS_PER_MS } from '../../core/units.ts';
import data from '../../experiments/data/pipeline-passes-a100.json' with { type: 'json' };
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { traceOf } from './small-plan.ts';

describe('1F1B with the pass times measured for the zero-bubble paper', () => {
  it.each(data.rows)('reproduces the published bubble of $model with $p stages and $m microbatches', (row) => {
    const { p: stageCount, m: microbatches, TF, TB, TW, Tcomm } = row;
    const cost = constantCost({
      forwardNs: TF * NS_PER_MS,
      backwardNs: (TB + TW) * NS_PER_MS,
      transferNs: Tcomm * NS_PER_MS,
    });
    const stages = Array.from({ length: stageCount }, (_, stage) => ({ device: stage, firstLayer: stage, endLayer: stage + 1 }));
    const part = () => ({ rows: 1, tokens: 1, squaredTokens: 1 });
    const adapter = { name: 'all parameters', iterations: 1, microbatches, arrivalNs: 0, priority: 0, part };
    const plan = planOneForwardOneBackward({ adapters: [adapter] }, stages.map(({ device }) => `device${device}`), stages);
    const lowered = lowerTransfers(plan, cost, (_from, _to, bytes) => bytes);
    const makespan = makespanNs(traceOf(lowered, cost, constantCluster(stageCount)));
    const bubble = (makespan - microbatches * (TF + TB + TW) * NS_PER_MS) / makespan;
    expect(bubble.toFixed(4)).toBe(row.bubble1F1B.toFixed(4));
  });
});
