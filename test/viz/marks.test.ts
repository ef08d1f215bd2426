import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { appendSpan, createSpanColumns, finishSpans } from '../../core/trace/span-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { chooseMarks, layoutMarks, visibleRange } from '../../viz/timeline/marks.ts';
import { firstSpan, pickSpan, spanBeside, spanInNextRow } from '../../viz/timeline/pick.ts';
import { isPartOf, workOf } from '../../viz/timeline/work.ts';
import { pipelineTrace } from './traces.ts';

/** Spans anywhere, overlapping or without length, as a foreign trace may have them. */
const traces: fc.Arbitrary<Trace> = fc
  .array(fc.record({ device: fc.nat(1), stream: fc.nat(3), startNs: fc.nat(100), length: fc.nat(20) }), {
    maxLength: 40,
  })
  .map((rows) => {
    const columns = createSpanColumns();
    for (const { device, stream, startNs, length } of rows) {
      appendSpan(columns, {
        device,
        stream,
        kind: KIND.forward,
        stage: device,
        operand: 0,
        iteration: 0,
        startNs,
        endNs: startNs + length,
      });
    }
    return { ...pipelineTrace({ devices: 2 }), spans: finishSpans(columns) };
  });

describe('rows', () => {
  it('are there for every stream with spans and for every compute stream, and hold each span once', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        const { rows } = layoutMarks(trace);
        expect(rows.flatMap(({ index }) => [...index]).sort((a, b) => a - b)).toEqual(
          Array.from(trace.spans.device, (_, i) => i),
        );
        for (const { row, index } of rows) {
          expect(row.stream === STREAM.compute || index.length > 0).toBe(true);
          expect(
            [...index].every((i) => trace.spans.device[i] === row.device && trace.spans.stream[i] === row.stream),
          ).toBe(true);
        }
        expect(rows.filter(({ row }) => row.stream === STREAM.compute).map(({ row }) => row.device)).toEqual([0, 1]);
      }),
    );
  });

  it('do not overlap', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        const { rows, height } = layoutMarks(trace);
        const bottoms = rows.map(({ row }) => row.y + row.height);
        expect(rows.slice(1).every(({ row }, r) => row.y > bottoms[r]!)).toBe(true);
        expect(bottoms.at(-1)).toBe(height);
      }),
    );
  });
});

describe('the visible range of a row', () => {
  it('holds every span that touches the window', () => {
    fc.assert(
      fc.property(traces, fc.nat(120), fc.nat(60), (trace, startNs, length) => {
        const endNs = startNs + length;
        for (const row of layoutMarks(trace).rows) {
          const [from, to] = visibleRange(row, trace, startNs, endNs);
          const touching = [...row.index].filter(
            (i) => trace.spans.startNs[i]! <= endNs && trace.spans.endNs[i]! >= startNs,
          );
          const found = new Set(row.index.subarray(from, to));
          expect(touching.every((i) => found.has(i))).toBe(true);
        }
      }),
    );
  });

  it('holds nothing else where spans follow each other', () => {
    const trace = pipelineTrace({ iterations: 3 });
    const row = layoutMarks(trace).rows[0]!;
    const [from, to] = visibleRange(row, trace, 12e6, 22e6);
    const touching = [...row.index].filter((i) => trace.spans.startNs[i]! <= 22e6 && trace.spans.endNs[i]! >= 12e6);
    expect([...row.index.subarray(from, to)]).toEqual(touching);
  });
});

const trace = pipelineTrace({ devices: 3, adapters: ['a', 'b'], iterations: 2, transferNs: 2e5 });
const marks = layoutMarks(trace);
const frame = { left: 100, width: 5000, startNs: 0, endNs: marks.endNs };
const scale = frame.width / frame.endNs;

describe('pointing', () => {
  it('at the middle of a span finds it', () => {
    for (const { row, index } of marks.rows) {
      for (const span of index) {
        const middle = (trace.spans.startNs[span]! + trace.spans.endNs[span]!) / 2;
        expect(pickSpan(marks, frame, frame.left + middle * scale, row.y + row.height / 2)).toBe(span);
      }
    }
  });

  it('at a bubble, between devices or at the names finds nothing', () => {
    const lastDevice = marks.rows.findLast(({ row }) => row.stream === STREAM.compute)!.row;
    expect(pickSpan(marks, frame, frame.left + 1e6 * scale, lastDevice.y + 5)).toBeNull();
    expect(pickSpan(marks, frame, frame.left + 1e6 * scale, lastDevice.y - 5)).toBeNull();
    expect(pickSpan(marks, frame, 50, 5)).toBeNull();
    expect(pickSpan(marks, frame, frame.left + 1e6 * scale, 5)).not.toBeNull();
  });

  it('hits a span without length from two pixels away', () => {
    const columns = createSpanColumns();
    appendSpan(columns, {
      device: 0,
      stream: 0,
      kind: KIND.step,
      stage: 0,
      operand: 0,
      iteration: 0,
      startNs: 500,
      endNs: 500,
    });
    const moment = layoutMarks({ ...trace, spans: finishSpans(columns) });
    const wide = { left: 0, width: 1000, startNs: 0, endNs: 1000 };
    expect([497, 499, 501, 503].map((x) => pickSpan(moment, wide, x, 5))).toEqual([null, 0, 0, null]);
  });
});

describe('walking by keyboard', () => {
  it('visits every span of a row in order and stops at its ends', () => {
    const { index } = marks.rows[0]!;
    const walked = [firstSpan(marks, 0, marks.endNs)!];
    for (let next = spanBeside(marks, walked[0]!, 1); next !== null; next = spanBeside(marks, next, 1))
      walked.push(next);
    expect(walked).toEqual([...index]);
    expect(spanBeside(marks, index[0]!, -1)).toBeNull();
  });

  it('goes down to the span nearest in time and back up to the same row', () => {
    const from = marks.rows[0]!.index[5]!;
    const below = spanInNextRow(marks, from, 1)!;
    const start = trace.spans.startNs[from]!;
    const distanceTo = (i: number): number =>
      Math.max(trace.spans.startNs[i]! - start, start - trace.spans.endNs[i]!, 0);
    expect(marks.rows[1]!.index).toContain(below);
    expect(distanceTo(below)).toBe(Math.min(...Array.from(marks.rows[1]!.index, distanceTo)));
    expect(marks.rows[0]!.index).toContain(spanInNextRow(marks, below, -1));
    expect(spanInNextRow(marks, from, -1)).toBeNull();
  });

  it('finds no first span in a window without any', () => {
    expect(firstSpan(marks, marks.endNs + 1, marks.endNs + 2)).toBeNull();
  });
});

describe('highlighting', () => {
  it('takes every span to be part of its own work', () => {
    for (let span = 0; span < trace.spans.length; span++) expect(isPartOf(trace, span, workOf(trace, span))).toBe(true);
  });

  it('follows a microbatch over all stages and streams, and nothing else', () => {
    const { spans } = trace;
    const chosen = chooseMarks(marks, (span) => isPartOf(trace, span, { kind: 'microbatch', microbatch: 5 }));
    const kept = chosen.rows.flatMap(({ index }) => [...index]);
    const expected = Array.from(spans.kind, (_, i) => i).filter(
      (i) => spans.operand[i] === 5 && spans.kind[i] !== KIND.step,
    );
    expect(kept.sort((a, b) => a - b)).toEqual(expected);
    // Forward and backward on three stages, and four transfers with two ends each.
    expect(kept.length).toBe(3 * 2 + 4 * 2);
  });

  it('follows a step over all stages', () => {
    const work = workOf(trace, trace.spans.kind.indexOf(KIND.step));
    const stages = Array.from(trace.spans.stage).filter((_, span) => isPartOf(trace, span, work));
    expect(stages.sort()).toEqual([0, 1, 2]);
  });

  it('finds an adapter inside the groups that carry it', () => {
    const group = pipelineTrace({ devices: 2, adapters: ['a', 'b', 'c'], grouped: true });
    const parts = (adapter: number): number =>
      Array.from(group.spans.kind).filter((_, span) => isPartOf(group, span, { kind: 'adapter', adapter })).length;
    expect(parts(1)).toBe(2 * (4 * 2 + 1));
    expect(parts(3)).toBe(0);
  });
});
