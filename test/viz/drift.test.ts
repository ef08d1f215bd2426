import { describe, expect, it } from 'vitest';
import { STREAM } from '../../core/plan/op.ts';
import { compareSpan, describeDrift, measureDrift } from '../../viz/drift/drift.ts';
import { matchSpans } from '../../viz/drift/match-spans.ts';
import { emptyTrace, pipelineTrace } from './traces.ts';

const slow = pipelineTrace({ adapters: ['a', 'b'], barrier: true, iterations: 2, transferNs: 1e5 });
const fast = pipelineTrace({ adapters: ['b', 'a'], barrier: true, iterations: 2, transferNs: 1e5, forwardNs: 1e6, backwardNs: 1.5e6 });

describe('two traces op by op', () => {
  it('finds every op of one plan in another that numbers adapters and microbatches differently', () => {
    const match = matchSpans(slow, fast);
    for (const [row, other] of match.entries()) {
      expect(other).toBeGreaterThanOrEqual(0);
      expect(fast.spans.kind[other]).toBe(slow.spans.kind[row]);
      expect(fast.spans.stage[other]).toBe(slow.spans.stage[row]);
      if (slow.spans.kind[row] !== 2) continue;
      expect(fast.plan.adapters[fast.spans.operand[other]!]).toBe(slow.plan.adapters[slow.spans.operand[row]!]);
    }
    expect(new Set(match).size).toBe(slow.spans.length);
  });

  it('has no difference between a trace and itself', () => {
    const drift = measureDrift(slow, slow)!;
    expect(drift.largestNs).toBe(1);
    expect(describeDrift(drift)).toMatch(/^No op starts more than/);
    expect(compareSpan(drift, slow, 5)).toBe('starts together');
  });

  it('says where they drift apart and by how much', () => {
    const drift = measureDrift(fast, slow)!;
    const last = drift.bands.map(({ laterNs }) => Math.max(...laterNs));
    expect(drift.largestNs).toBe(Math.max(...last, -Math.min(...drift.bands.flatMap(({ laterNs }) => [...laterNs]))));
    expect(describeDrift(drift)).toMatch(/drift apart by more than .* from \dF\d+ at .* on\./);
  });

  it('says of an op of either trace how it stands to the other', () => {
    const drift = measureDrift(fast, slow)!;
    const row = slow.spans.stream.findIndex((stream, r) => stream === STREAM.compute && slow.spans.stage[r] === 2);
    const laterMs = (slow.spans.startNs[row]! - fast.spans.startNs[drift.match[row]!]!) / 1e6;
    const [here, there] = laterMs > 0 ? ['later', 'earlier'] : ['earlier', 'later'];
    const text = `starts ${Number(Math.abs(laterMs).toPrecision(4))} ms`;
    expect(compareSpan(drift, slow, row)).toBe(`${text} ${here} here, takes 1 ms longer`);
    expect(compareSpan(drift, fast, drift.match[row]!)).toBe(`${text} ${there} here, takes 1 ms less`);
  });

  it('is nothing where they have no op in common', () => {
    expect(measureDrift(emptyTrace(), slow)).toBeNull();
  });
});
