import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS, MEMORY_CLASSES } from '../../core/cost-model.ts';
import { peakMemory } from '../../core/trace/peak-memory.ts';
import { appendMemoryChange, createMemoryColumns, finishMemory } from '../../core/trace/memory-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { GIBI } from '../../core/units.ts';
import { classesInUse, layoutBands, memoryAt, STACK_ORDER } from '../../viz/memory/bands.ts';
import { byteScale } from '../../viz/memory/byte-scale.ts';
import { describeMemory } from '../../viz/memory/describe-memory.ts';
import { drawMemory } from '../../viz/memory/draw-memory.ts';
import { layoutMemory, thinSteps } from '../../viz/memory/memory-marks.ts';
import { LIGHT } from '../../viz/theme.ts';
import { createRecordingSurface } from './recording-surface.ts';
import { pipelineTrace } from './traces.ts';

const traces: fc.Arbitrary<Trace> = fc
  .array(
    fc.record({
      device: fc.nat(1),
      memoryClass: fc.nat(MEMORY_CLASSES.length - 1),
      timeNs: fc.nat(50),
      bytes: fc.nat(1000),
    }),
    {
      maxLength: 60,
    },
  )
  .map((changes) => {
    const columns = createMemoryColumns();
    for (const change of changes) appendMemoryChange(columns, change);
    return { ...pipelineTrace({ devices: 2 }), memory: finishMemory(columns) };
  });

/** The slow way: the last change of every class up to the moment. */
const heldAt = ({ memory }: Trace, device: number, timeNs: number): readonly number[] =>
  STACK_ORDER.map((name) => {
    let bytes = 0;
    for (let i = 0; i < memory.length; i++) {
      const concerns = memory.device[i] === device && memory.memoryClass[i] === MEMORY_CLASS[name];
      if (concerns && memory.timeNs[i]! <= timeNs) bytes = memory.bytes[i]!;
    }
    return bytes;
  });

const texts = (trace: Trace): readonly string[] => {
  const surface = createRecordingSurface();
  const frame = { left: 150, width: 600, startNs: 0, endNs: 1e8 };
  drawMemory({ surface, frame, theme: LIGHT }, layoutMemory(trace, 1e8));
  return surface.textsDrawn.map(({ text }) => text);
};

describe('the memory bands of a trace', () => {
  it('hold what the last change of each class says, at every moment', () => {
    fc.assert(
      fc.property(traces, fc.nat(60), (trace, timeNs) => {
        for (const band of layoutBands(trace))
          expect(memoryAt(band, timeNs)).toEqual(heldAt(trace, band.device, timeNs));
      }),
    );
  });

  it('have the peaks that the metrics report', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        expect(layoutBands(trace).map(({ peakBytes }) => peakBytes)).toEqual(
          peakMemory(trace).map(({ bytes }) => bytes),
        );
      }),
    );
  });

  it('keep the highest value of the window when steps share a pixel', () => {
    fc.assert(
      fc.property(traces, fc.integer({ min: 2, max: 40 }), (trace, width) => {
        for (const band of layoutBands(trace)) {
          const total = band.tops.at(-1)!;
          const steps = thinSteps(band, { left: 0, width, startNs: 0, endNs: 50 });
          expect(Math.max(0, ...steps.map((step) => total[step]!))).toBe(band.peakBytes);
          expect(steps.length).toBeLessThanOrEqual(2 * (width + 1));
          expect(steps.every((step, i) => i === 0 || step > steps[i - 1]!)).toBe(true);
        }
      }),
    );
  });

  it('begin with the state at the start of the window', () => {
    const [band] = layoutBands(pipelineTrace());
    const [first] = thinSteps(band!, { left: 0, width: 100, startNs: 11e6, endNs: 12e6 });
    expect(band!.timeNs[first!]).toBeLessThanOrEqual(11e6);
    expect(band!.timeNs[first! + 1]).toBeGreaterThan(11e6);
  });

  it('list the classes in use from the bottom of the stack to its top', () => {
    expect(classesInUse(pipelineTrace())).toEqual(['baseWeights', 'adapters', 'gradients', 'optimizer', 'activations']);
  });
});

describe('the scale of memory', () => {
  const bands = layoutBands(pipelineTrace());
  const peak = Math.max(...bands.map(({ peakBytes }) => peakBytes));

  it('reaches to the capacity where that is near and stays with the curves where it is far', () => {
    const topFor = (capacityBytes: number): number => byteScale(pipelineTrace({ capacityBytes }), bands).topBytes;
    expect(topFor(1.2 * peak)).toBeGreaterThan(1.2 * peak);
    expect(topFor(20 * peak)).toBeLessThan(1.2 * peak);
    expect(topFor(0.5 * peak)).toBeGreaterThan(peak);
    expect(topFor(Infinity)).toBeLessThan(1.2 * peak);
  });

  it('labels its ticks with a unit, from zero up', () => {
    const labels = byteScale(pipelineTrace({ capacityBytes: 16 * GIBI }), bands).ticks.map(({ label }) => label);
    expect(labels).toEqual(['0', '5 GiB', '10 GiB', '15 GiB']);
  });
});

describe('drawn memory', () => {
  it('shows the capacity line only where it is within sight', () => {
    expect(texts(pipelineTrace({ capacityBytes: 13 * GIBI }))).toContain('capacity');
    expect(texts(pipelineTrace({ capacityBytes: 80 * GIBI }))).not.toContain('capacity');
    expect(texts(pipelineTrace({ capacityBytes: 80 * GIBI }))).toContain('of 80 GiB');
    expect(texts(pipelineTrace({ capacityBytes: Infinity })).filter((text) => text.startsWith('of '))).toEqual([]);
  });

  it('marks the moment a device ran out of memory with the class and the bytes', () => {
    const outOfMemory = {
      device: 1,
      memoryClass: 'activations',
      missingBytes: 2 * GIBI,
      timeNs: 5e6,
      op: '1F3',
    } as const;
    expect(texts({ ...pipelineTrace(), outOfMemory })).toContain('out of memory: activations lacks 2 GiB at 1F3');
  });

  it('says what a device holds under the pointer', () => {
    const marks = layoutMemory(pipelineTrace(), 1e8);
    const description = describeMemory(marks, marks.pitch + 10, 3e6);
    expect(description?.title).toBe('gpu1 · 8.4 GiB');
    expect(description?.facts.slice(0, 2)).toEqual([
      ['time', '3 ms'],
      ['activations', '1.5 GiB'],
    ]);
    expect(describeMemory(marks, 3 * marks.pitch + 1, 3e6)).toBeNull();
  });
});
