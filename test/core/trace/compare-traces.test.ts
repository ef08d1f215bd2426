import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS } from '../../../core/cost-model.ts';
import { compareTraces, heldBytesPeak } from '../../../core/trace/compare-traces.ts';
import { traceOfLines } from './traces.ts';

const change = (memoryClass: keyof typeof MEMORY_CLASS, timeNs: number, bytes: number) => ({
  device: 0,
  memoryClass: MEMORY_CLASS[memoryClass],
  timeNs,
  bytes,
});

describe('two traces of one plan', () => {
  const predicted = traceOfLines(['0F0 0-10', '0F1 10-22', '0B0 22-42'], [change('activations', 0, 110)]);
  const measured = traceOfLines(['0F0 0-10', '0F1 10-30', '0F2 30-60', '0B0 60-80'], [change('activations', 0, 100)]);

  it('are compared by op kind and stage: count, median and total', () => {
    expect(compareTraces(predicted, measured).ops).toEqual([
      {
        kind: 'forward',
        stage: 0,
        predicted: { count: 2, medianNs: 12, totalNs: 22 },
        measured: { count: 3, medianNs: 20, totalNs: 60 },
      },
      {
        kind: 'backward',
        stage: 0,
        predicted: { count: 1, medianNs: 20, totalNs: 20 },
        measured: { count: 1, medianNs: 20, totalNs: 20 },
      },
    ]);
  });

  it('differ in makespan and in the peak of each device by predicted ÷ measured − 1', () => {
    const { makespanError, devices } = compareTraces(predicted, measured);
    expect(makespanError).toBeCloseTo(42 / 80 - 1);
    expect(devices[0]).toMatchObject({ name: 'gpu0', predictedPeakBytes: 110, measuredPeakBytes: 100 });
    expect(devices[0]!.memoryError).toBeCloseTo(0.1);
    expect(devices[1]!.memoryError).toBe(0);
  });

  it('agree with themselves', () => {
    const { makespanError, devices, ops } = compareTraces(measured, measured);
    expect([makespanError, ...devices.map(({ memoryError }) => memoryError)]).toEqual([0, 0, 0]);
    for (const op of ops) expect(op.predicted).toEqual(op.measured);
  });
});

describe('the peak of what is held', () => {
  it('leaves out temporaries, which a measured trace cannot see', () => {
    const trace = traceOfLines([], [change('activations', 0, 100), change('transient', 1, 900), change('activations', 2, 140)]);
    expect(heldBytesPeak(trace)).toEqual([140, 0]);
  });
});
