import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { criticalPath, criticalRows } from '../../../core/explain/critical-path.ts';
import { opAt } from '../../../core/plan/plan.ts';
import { formatOp } from '../../../core/plan/text.ts';
import { makespanNs } from '../../../core/trace/metrics.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { devicesOf, planOfSeed, planSeeds } from '../../sim/random-plan.ts';
import { traceOf } from '../../sim/small-plan.ts';
import { spansArbitrary, traceOfLines, traceOfParts } from '../trace/traces.ts';
import { runSetting } from './planned-run.ts';

const opsOf = (trace: Trace): string[] => criticalRows(trace).map((row) => formatOp(opAt(trace.spans, row)));

describe('the critical path', () => {
  it('goes from the end of the run back to its start through what was waited for last', () => {
    const trace = traceOfLines(['0F0 0-10', '0F1 10-20', '0SEND_F0 10-13', '1RECV_F0 10-13', '1F0 13-23', '0SEND_F1 20-60', '1RECV_F1 20-60', '1F1 60-70', '1B1 72-90']);
    expect(opsOf(trace)).toEqual(['0F0', '0F1', '1RECV_F1', '1F1', '1B1']);
    expect(criticalPath(trace).map(({ waitNs }) => waitNs)).toEqual([0, 0, 0, 0, 2]);
  });

  it('stays on the slowest stage of a pipeline', () => {
    const trace = runSetting({ devices: 3, microbatches: 8, slowness: [1, 3, 1] });
    const onSlowest = criticalRows(trace).filter((row) => trace.spans.device[row] === 1 && trace.spans.stream[row] === 0);
    expect(onSlowest.length).toBeGreaterThanOrEqual(16);
  });

  it('of a trace without spans has none', () => {
    expect(criticalPath(traceOfLines([]))).toEqual([]);
  });

  const expectToCover = (trace: Trace): void => {
    const path = criticalPath(trace);
    let endNs = trace.spans.startNs[0] ?? 0;
    for (const step of path) {
      expect(step.startNs).toBe(endNs + step.waitNs);
      expect(step.endNs).toBeGreaterThanOrEqual(step.startNs);
      endNs = step.endNs;
    }
  };

  it('covers the run without a hole or an overlap', () => {
    fc.assert(
      fc.property(planSeeds, fc.nat({ max: 9 }), fc.constantFrom(0, 40), (seed, transferNs, launchNs) => {
        const cost = constantCost({ forwardNs: 5, backwardNs: 9, stepNs: 2, transferNs, launchNs });
        const trace = traceOf(planOfSeed(seed), cost, constantCluster(devicesOf(seed)));
        expectToCover(trace);
        const path = criticalPath(trace);
        expect(path.at(-1)!.endNs - path[0]!.startNs + path[0]!.waitNs).toBe(makespanNs(trace));
      }),
      { numRuns: 150 },
    );
  });

  it('has neither even where spans contradict each other', () => {
    fc.assert(fc.property(spansArbitrary, (spans) => expectToCover(traceOfParts(spans, []))), { numRuns: 300 });
  });
});
