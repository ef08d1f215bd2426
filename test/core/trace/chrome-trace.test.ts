import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASSES } from '../../../core/cost-model.ts';
import { STREAMS } from '../../../core/plan/op.ts';
import { formatChromeTrace } from '../../../core/trace/chrome-trace.ts';
import { readChromeTrace } from '../../../core/trace/read-chrome-trace.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { changesArbitrary, spansArbitrary, traceOfLines, traceOfParts } from './traces.ts';

interface ChromeEvent {
  readonly ph: string;
  readonly name: string;
  readonly cat?: string;
  readonly id?: number;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, unknown>>;
}

const eventsOf = (trace: Trace): ChromeEvent[] =>
  (JSON.parse(formatChromeTrace(trace)) as { readonly traceEvents: ChromeEvent[] }).traceEvents;

const TRACE = traceOfLines(
  ['0F1 1000-2500', '0SEND_F1 2500-3000', '1RECV_F1 2500-3000', '1STEP1.7 4000-4001', '1B1 3000-4000', '0SEND_B1 9-9'],
  [{ device: 1, memoryClass: 4, timeNs: 2500, bytes: 64 }],
);

describe('a trace as Chrome-trace JSON', () => {
  it('names a process for every device and a thread for every stream', () => {
    const names = eventsOf(TRACE).filter(({ ph, name }) => ph === 'M' && name.endsWith('_name'));
    expect(names.map(({ args }) => args.name)).toEqual([
      ...['gpu0', 'compute', 'send', 'receive', 'host', 'collective'],
      ...['gpu1', 'compute', 'send', 'receive', 'host', 'collective'],
    ]);
    const threads = names.filter(({ name }) => name === 'thread_name').map(({ tid }) => tid);
    expect(new Set(threads).size).toBe(2 * STREAMS.length);
  });

  it('has a complete event in microseconds for every span, with what the op is about', () => {
    const spans = eventsOf(TRACE).filter(({ ph }) => ph === 'X');
    expect(spans).toHaveLength(6);
    expect(spans.find(({ name }) => name === '0F1')).toMatchObject({
      cat: 'forward',
      pid: 1,
      tid: 1,
      ts: 1,
      dur: 1.5,
      args: { op: '0F1', stage: 0, microbatch: 1, adapters: ['blue'], iterations: [0] },
    });
    expect(spans.find(({ name }) => name === '1STEP1.7')).toMatchObject({
      cat: 'step',
      args: { adapters: ['blue'], iterations: [7] },
    });
  });

  it('draws an arrow from every send to its receive, inside both slices', () => {
    const events = eventsOf(TRACE);
    const start = events.find(({ ph, ts }) => ph === 's' && ts === 2.5)!;
    const finish = events.find(({ ph }) => ph === 'f')!;
    expect(start.id).toBe(finish.id);
    for (const arrow of [start, finish]) {
      const slice = events.find(({ ph, tid, ts }) => ph === 'X' && tid === arrow.tid && ts === arrow.ts);
      expect(slice?.name).toBe(arrow === start ? '0SEND_F1' : '1RECV_F1');
    }
  });

  it('gives transfers of different microbatches, stages and directions different numbers', () => {
    const lines = [0, 1, 2].flatMap((m) => [`0SEND_F${m} 0-1`, `1RECV_F${m} 0-1`, `1SEND_B${m} 0-1`, `0RECV_B${m} 0-1`]);
    const ids = eventsOf(traceOfLines(lines)).flatMap(({ ph, id }) => (ph === 's' || ph === 'f' ? [`${ph}${id}`] : []));
    expect(new Set(ids).size).toBe(12);
    expect(new Set(ids.map((id) => id.slice(1))).size).toBe(6);
  });

  it('counts memory by class', () => {
    const counters = eventsOf(TRACE).filter(({ ph }) => ph === 'C');
    expect(counters).toMatchObject([{ name: 'memory', pid: 2, ts: 2.5, args: { activations: 64 } }]);
    expect(MEMORY_CLASSES[4]).toBe('activations');
  });
});

describe('reading a trace back', () => {
  it('loses nothing', () => {
    const extras = fc.record({
      source: fc.constantFrom<Trace['source']>('simulated', 'measured'),
      name: fc.string(),
      capacityBytes: fc.oneof(fc.nat(), fc.constant(Infinity)),
      outOfMemory: fc.constantFrom(null, { device: 1, memoryClass: 'optimizer', missingBytes: 5, timeNs: 7, op: '1F0' } as const),
    });
    fc.assert(
      fc.property(spansArbitrary, changesArbitrary, extras, (spans, changes, { source, name, capacityBytes, outOfMemory }) => {
        const plain = traceOfParts(spans, changes);
        const [first, second] = plain.devices;
        const trace = { ...plain, source, outOfMemory, devices: [{ ...first!, name, capacityBytes }, { ...second!, hardware: name }] };
        expect(readChromeTrace(formatChromeTrace(trace))).toEqual(E.right(trace));
      }),
      { numRuns: 60 },
    );
  });

  const problemsOf = (text: string): string[] => {
    const result = readChromeTrace(text);
    return E.isLeft(result) ? result.left.map(({ path, message }) => `${path}: ${message}`) : [];
  };

  const changed = (change: (file: { otherData: Record<string, unknown>; traceEvents: unknown[] }) => void): string => {
    const file = JSON.parse(formatChromeTrace(TRACE)) as { otherData: Record<string, unknown>; traceEvents: unknown[] };
    change(file);
    return JSON.stringify(file);
  };

  it('refuses half a file and foreign traces', () => {
    expect(problemsOf(formatChromeTrace(TRACE).slice(0, 500))[0]).toMatch(/is no JSON/);
    expect(problemsOf('{"traceEvents":[]}')).toEqual([
      'otherData.format: is not "mlora trace"; only traces written by mlora can be read',
    ]);
  });

  it('names every bad event', () => {
    const text = changed(({ traceEvents }) => {
      traceEvents.push(
        { ph: 'X', pid: 1, tid: 1, ts: 'soon', dur: 1, args: { op: '0F0' } },
        { ph: 'X', pid: 9, tid: 1, ts: 0, dur: 1, args: { op: '0F0' } },
        { ph: 'X', pid: 1, tid: 9, ts: 0, dur: 1, args: { op: '0F0' } },
        { ph: 'X', pid: 1, tid: 1, ts: 0, dur: 1, args: { op: 'nothing' } },
        { ph: 'X', pid: 1, tid: 1, ts: 0, dur: 1, args: { op: '0F99' } },
        { ph: 'C', pid: 1, ts: 0, args: { butter: 1 } },
        { ph: '?' },
        17,
      );
    });
    const count = eventsOf(TRACE).length;
    expect(problemsOf(text)).toEqual([
      `traceEvents[${count}]: has ts "soon"; expected microseconds from 0 up`,
      `traceEvents[${count + 1}]: is of process 9; expected 1 to 2`,
      `traceEvents[${count + 2}]: is on thread 9, which process 1 does not have`,
      `traceEvents[${count + 3}]: has args {"op":"nothing"}; expected an op such as 2F0`,
      `traceEvents[${count + 4}]: has op "0F99", which the plan does not have`,
      `traceEvents[${count + 5}]: has args {"butter":1}; expected bytes of one of ${MEMORY_CLASSES.join(', ')}`,
      `traceEvents[${count + 6}]: has phase "?"; expected X, C, M, s or f`,
      `traceEvents[${count + 7}]: is 17; expected an event`,
    ]);
  });

  it('checks the header, with paths inside the file', () => {
    expect(problemsOf(changed(({ otherData }) => (otherData.source = 'dreamt')))[0]).toMatch(/^otherData\.source: is "dreamt"/);
    expect(problemsOf(changed(({ otherData }) => (otherData.plan = { schedule: 'x' })))[0]).toMatch(/^otherData\.plan\./);
    const outOfMemory = { device: 2, memoryClass: 'optimizer', missingBytes: 5, timeNs: 7, op: '1F0' };
    expect(problemsOf(changed(({ otherData }) => (otherData.outOfMemory = outOfMemory)))).toEqual([
      'otherData.outOfMemory.device: is 2; there are 2 devices',
    ]);
    expect(problemsOf(changed(({ otherData }) => (otherData.devices = [])))[0]).toMatch(/^otherData\.devices: has 0/);
  });
});
