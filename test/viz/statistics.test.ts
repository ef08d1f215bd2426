import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { layoutMarks } from '../../viz/timeline/marks.ts';
import { statisticsOf } from '../../viz/timeline/statistics.ts';
import { pipelineTrace } from './traces.ts';

const trace = pipelineTrace({ devices: 3, adapters: ['a', 'b'], iterations: 3, barrier: true, transferNs: 2e5 });
const marks = layoutMarks(trace);

describe('figures of what is in sight', () => {
  it('count every op of a whole run once', () => {
    const all = statisticsOf(marks, { startNs: 0, endNs: marks.endNs });
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(trace.spans.length);
    expect(all.find(({ kind }) => kind === 'forward')).toEqual({ kind: 'forward', count: 72, totalNs: 72 * 2e6, shortestNs: 2e6, longestNs: 2e6 });
  });

  it('add up what a slow count adds up, in any window', () => {
    const moment = fc.double({ min: 0, max: marks.endNs, noNaN: true });
    fc.assert(
      fc.property(moment, moment, (a, b) => {
        const [startNs, endNs] = a < b ? [a, b] : [b, a];
        let totalNs = 0;
        for (let row = 0; row < trace.spans.length; row++) {
          if (trace.spans.stream[row] !== STREAM.compute || trace.spans.kind[row] !== KIND.backward) continue;
          totalNs += Math.max(0, Math.min(endNs, trace.spans.endNs[row]!) - Math.max(startNs, trace.spans.startNs[row]!));
        }
        const found = statisticsOf(marks, { startNs, endNs }).find(({ kind }) => kind === 'backward')?.totalNs ?? 0;
        expect(found).toBeCloseTo(totalNs, 3);
      }),
    );
  });
});
