import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { splitIdle } from '../../../core/explain/idle.ts';
import { summarize } from '../../../core/trace/summary.ts';
import { readAnyTrace, readChromeTrace } from '../../../core/trace/read-chrome-trace.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { measureDrift } from '../../../viz/drift/drift.ts';
import { describeSpan } from '../../../viz/timeline/describe-span.ts';

const kernel = (name: string, ts: number, dur: number, stream = 7, device = 0) => ({
  ...{ ph: 'X', cat: 'kernel', name, pid: device, tid: stream, ts, dur },
  args: { device, stream, correlation: 1, grid: [1, 1, 1] },
});

const fileOf = (traceEvents: readonly unknown[]): string =>
  JSON.stringify({ schemaVersion: 1, deviceProperties: [{ id: 0, name: 'NVIDIA H100' }], traceEvents });

const read = (traceEvents: readonly unknown[]): Trace => {
  const trace = readAnyTrace(fileOf(traceEvents));
  if (E.isLeft(trace)) throw new Error(JSON.stringify(trace.left));
  return trace.right;
};

const HOST = { ph: 'X', cat: 'cpu_op', name: 'aten::mm', pid: 1, tid: 1, ts: 0, dur: 5, args: {} };

describe('a trace of the PyTorch profiler', () => {
  it('has a row for every stream and a span for everything that ran there', () => {
    const trace = read([
      HOST,
      kernel('sm90_xmma_gemm_f32', 1000.5, 2, 7),
      kernel('ncclDevKernel_AllReduce', 1001, 4, 20),
      { ...kernel('Memcpy HtoD', 1010, 1, 7), cat: 'gpu_memcpy' },
      kernel('vectorized_elementwise_kernel', 1003, 1, 7, 1),
    ]);
    expect(trace.devices.map(({ name }) => name)).toEqual(['GPU 0, stream 7', 'GPU 0, stream 20', 'GPU 1, stream 7']);
    expect([...trace.spans.startNs]).toEqual([0, 500, 2500, 9500]);
    expect([...trace.spans.endNs]).toEqual([2000, 4500, 3500, 10500]);
    expect([...trace.spans.device]).toEqual([0, 1, 2, 0]);
    const titles = [0, 1, 2, 3].map((span) => [describeSpan(trace, span).title, describeSpan(trace, span).facts[0]![1]]);
    expect(titles).toEqual([
      ['sm90_xmma_gemm_f32', 'matrix product'],
      ['ncclDevKernel_AllReduce', 'communication'],
      ['vectorized_elementwise_kernel', 'other kernel'],
      ['Memcpy HtoD', 'copy'],
    ]);
  });

  it('has figures, and nothing that would need a plan', () => {
    const trace = read([kernel('a', 0, 2), kernel('a', 6, 2)]);
    expect(summarize(trace)).toMatchObject({ makespanSeconds: 8e-6, bubbleRatio: 0.5, outOfMemory: null });
    expect(measureDrift(trace, trace)).toBeNull();
    expect(() => splitIdle(trace)).not.toThrow();
  });

  it('keeps every duration and the distances between starts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1e9), fc.nat(1e6), fc.nat(3)), { minLength: 1, maxLength: 50 }), (spans) => {
        const { spans: found } = read(spans.map(([ts, dur, stream]) => kernel('k', ts, dur, stream)));
        const first = Math.min(...spans.map(([ts]) => ts));
        const wanted = spans.map(([ts, dur, stream]) => `${(ts - first) * 1000} ${dur * 1000} ${stream}`).sort();
        const streams = [...new Set(spans.map(([, , stream]) => stream))].sort((a, b) => a - b);
        const has = Array.from(found.startNs, (startNs, row) => `${startNs} ${found.endNs[row]! - startNs} ${streams[found.device[row]!]}`);
        expect(has.sort()).toEqual(wanted);
      }),
    );
  });

  it('treats names as text, whatever they contain', () => {
    const name = '<img src=x onerror=alert(1)>\u0000';
    expect(describeSpan(read([kernel(name, 0, 1)]), 0).title).toBe(name);
  });

  it('says which events are wrong, and that a trace of the host alone has no streams', () => {
    const problems = (events: readonly unknown[]): string => {
      const trace = readAnyTrace(fileOf(events));
      return E.isLeft(trace) ? JSON.stringify(trace.left) : 'read';
    };
    const both = problems([HOST, { ...kernel('k', 0, 1), ts: 'soon' }, { ...kernel('k', 0, 1), args: {} }]);
    expect(both).toMatch(/traceEvents\[1\][^]*soon[^]*traceEvents\[2\]/);
    expect(problems([HOST])).toContain('no spans on GPU streams');
  });

  it('is told from our own traces, which stay the only ones where a plan is needed', () => {
    expect(readChromeTrace(fileOf([kernel('k', 0, 1)]))).toMatchObject(E.left([{ path: 'otherData.format' }]));
    expect(readAnyTrace('{"traceEvents":[]}')).toMatchObject(E.left([{ path: 'otherData.format' }]));
    expect(readAnyTrace('{"traceEvents":[{"ph":"X"')).toMatchObject({ _tag: 'Left' });
    expect(JSON.stringify(readAnyTrace('{"traceEvents":[{"ph":"X"'))).toContain('is no JSON');
    expect(E.isLeft(readAnyTrace('[1,2]'))).toBe(true);
  });

  it('can have as many events as a long profile has', () => {
    const events = Array.from({ length: 300_000 }, (_, i) => kernel(`k${i % 50}`, i * 2, 1, i % 4));
    expect(read(events).spans.length).toBe(300_000);
  });
});
