import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS } from '../../../core/cost-model.ts';
import { bubbleRatio, busyNs, completionNs, makespanNs, tokensPerSecond, trainedTokens } from '../../../core/trace/metrics.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
import { summarize } from '../../../core/trace/summary.ts';
import { traceOfLines } from './traces.ts';

const TRACE = traceOfLines([
  'host 0F0 0-5',
  '0F0 10-20',
  '0SEND_F0 20-25',
  '1RECV_F0 20-25',
  '1F0 25-35',
  '1B0 35-55',
  '1STEP0.0 55-56',
  '1SEND_B0 55-60',
  '0RECV_B0 55-60',
  '0B0 60-80',
  '0STEP0.0 80-85',
  '1F1 60-70',
]);

describe('metrics of a trace computed by hand', () => {
  it('bubble ratio: idle compute time between the first and the last compute span', () => {
    expect(busyNs(TRACE)).toEqual([35, 41]);
    expect(bubbleRatio(TRACE)).toBeCloseTo(1 - 76 / 150, 12);
  });

  it('bubble ratio inside a window clips spans at its ends', () => {
    expect(bubbleRatio(TRACE, { startNs: 15, endNs: 35 })).toBeCloseTo(1 - (5 + 10) / 40, 12);
    expect(bubbleRatio(TRACE, { startNs: 35, endNs: 55 })).toBeCloseTo(0.5, 12);
  });

  it('makespan: from the first to the last span of any stream', () => {
    expect(makespanNs(TRACE)).toBe(85);
  });

  it('tokens: those whose backward reached the first stage', () => {
    expect(trainedTokens(TRACE)).toBe(100);
    expect(tokensPerSecond(TRACE)).toBeCloseTo(100 / 85e-9, 0);
  });

  it('completion: the end of the adapter’s last op', () => {
    expect(completionNs(TRACE)).toEqual([85, 70]);
    expect(completionNs(traceOfLines(['0F0 0-1']))).toEqual([1, null]);
  });

  it('an empty trace has no bubble, no duration and no throughput', () => {
    const empty = traceOfLines([]);
    expect([bubbleRatio(empty), makespanNs(empty), tokensPerSecond(empty)]).toEqual([0, 0, 0]);
  });
});

describe('peak memory', () => {
  const change = (device: number, name: keyof typeof MEMORY_CLASS, timeNs: number, bytes: number) => ({
    device,
    memoryClass: MEMORY_CLASS[name],
    timeNs,
    bytes,
  });

  it('is the largest sum over classes, by device', () => {
    const trace = traceOfLines(['0F0 0-50'], [
      change(0, 'baseWeights', 0, 100),
      change(0, 'activations', 10, 50),
      change(1, 'activations', 15, 70),
      change(0, 'transient', 20, 30),
      change(0, 'transient', 30, 0),
      change(0, 'activations', 40, 60),
    ]);
    expect(peakMemory(trace)).toMatchObject([
      { bytes: 180, timeNs: 20, byClass: { baseWeights: 100, activations: 50, transient: 30, context: 0 } },
      { bytes: 70, timeNs: 15 },
    ]);
  });

  it('does not count memory twice that changes its class in an instant', () => {
    const trace = traceOfLines([], [
      change(0, 'communication', 5, 40),
      change(0, 'activations', 10, 40),
      change(0, 'communication', 10, 0),
    ]);
    expect(peakMemory(trace)[0]).toMatchObject({ bytes: 40, timeNs: 5 });
  });
});

describe('the summary', () => {
  it('holds what the command line prints', () => {
    expect(summarize(TRACE)).toEqual({
      schedule: 'by hand',
      makespanSeconds: 85e-9,
      tokensPerSecond: tokensPerSecond(TRACE),
      bubbleRatio: bubbleRatio(TRACE),
      opCount: 11,
      devices: [
        { name: 'gpu0', peakMemoryBytes: 0, reservedMemoryBytes: null, capacityBytes: 1000, busySeconds: 35e-9 },
        { name: 'gpu1', peakMemoryBytes: 0, reservedMemoryBytes: null, capacityBytes: 1000, busySeconds: 41e-9 },
      ],
      jobs: [
        { name: 'red', completionSeconds: 85e-9 },
        { name: 'blue', completionSeconds: 70e-9 },
      ],
      outOfMemory: null,
    });
  });

  it('names the device and the class that ran out of memory', () => {
    const outOfMemory = { device: 1, memoryClass: 'activations', missingBytes: 7, timeNs: 3, op: '1F0' } as const;
    expect(summarize({ ...TRACE, outOfMemory }).outOfMemory).toEqual({ device: 'gpu1', class: 'activations', bytes: 7 });
  });
});
