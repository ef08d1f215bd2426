import { describe, expect, it } from 'vitest';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { splitIdle } from '../../core/explain/idle.ts';
import { busyNs, computeWindow } from '../../core/trace/metrics.ts';
import { LIGHT } from '../../viz/theme.ts';
import { bubbleAt, drawBubbles, layoutBubbles } from '../../viz/timeline/bubbles.ts';
import { dependenciesOf } from '../../viz/timeline/dependencies.ts';
import { drawTimeline } from '../../viz/timeline/draw-timeline.ts';
import { layoutMarks } from '../../viz/timeline/marks.ts';
import { createRecordingSurface } from './recording-surface.ts';
import { pipelineTrace } from './traces.ts';

const FILLS = new Set<string>(Object.values(LIGHT.causes));

/** Area of everything filled with the shade of a cause on device 0's row, in pixels of width at full height. */
const shadedPixels = (iterations: number, width: number): { readonly drawn: number; readonly expected: number } => {
  const trace = pipelineTrace({ devices: 2, adapters: ['a'], iterations, barrier: true, memory: false });
  const marks = layoutMarks(trace);
  const frame = { left: 10, width, startNs: 0, endNs: marks.endNs };
  const surface = createRecordingSurface();
  const { row } = marks.rows[0]!;
  drawBubbles({ surface, frame, theme: LIGHT }, layoutBubbles(trace, splitIdle(trace).gaps), row);
  const drawn = surface.boxesDrawn.reduce((sum, box) => sum + (box.width * box.height) / row.height, 0);
  const window = computeWindow(trace)!;
  const idleNs = window.endNs - window.startNs - busyNs(trace)[0]!;
  expect(surface.boxesDrawn.every(({ fill }) => FILLS.has(fill))).toBe(true);
  return { drawn, expected: (idleNs / marks.endNs) * width };
};

describe('bubbles', () => {
  it('are shaded for exactly the time a device is idle, drawn one by one or added up', () => {
    for (const iterations of [2, 400]) {
      const { drawn, expected } = shadedPixels(iterations, 700);
      expect(drawn).toBeCloseTo(expected, 1);
    }
  });

  it('are found at a moment inside them and nowhere else', () => {
    const trace = pipelineTrace({ devices: 2, iterations: 2, barrier: true, memory: false });
    const bubbles = layoutBubbles(trace, splitIdle(trace).gaps);
    for (const { startNs, endNs, device } of bubbles.ofDevice.flat()) {
      expect(bubbleAt(bubbles, device, (startNs + endNs) / 2)?.startNs).toBe(startNs);
    }
    expect(bubbleAt(bubbles, 0, trace.spans.startNs[0]! + 1)).toBeNull();
  });
});

describe('dependencies of a span', () => {
  const trace = pipelineTrace({ devices: 3, iterations: 2, transferNs: 1e5, barrier: true });
  const rowOf = (kind: number, stage: number, operand: number): number =>
    trace.spans.kind.findIndex((k, row) => k === kind && trace.spans.stage[row] === stage && trace.spans.operand[row] === operand);

  it('lead from the stage before over its transfer, and on to the stage behind and to its backward', () => {
    const forward = rowOf(KIND.forward, 1, 0);
    const names = dependenciesOf(trace, forward).map(({ from, to }) => [from, to]);
    expect(names).toContainEqual([rowOf(KIND.receiveForward, 1, 0), forward]);
    expect(names).toContainEqual([forward, rowOf(KIND.sendForward, 1, 0)]);
    expect(names).toContainEqual([forward, rowOf(KIND.backward, 1, 0)]);
  });

  it('lead from the backwards of an iteration through its step to the forwards of the next one', () => {
    const step = trace.spans.kind.findIndex((kind, row) => kind === KIND.step && trace.spans.stage[row] === 1);
    const edges = dependenciesOf(trace, step);
    expect(edges.filter(({ to }) => to === step).map(({ from }) => trace.spans.kind[from])).toEqual(Array(4).fill(KIND.backward));
    expect(edges.filter(({ from }) => from === step).map(({ to }) => trace.spans.kind[to])).toEqual(Array(4).fill(KIND.forward));
    for (const { from, to } of edges) expect(trace.spans.endNs[from]).toBeLessThanOrEqual(trace.spans.startNs[to]!);
  });

  it('never point back in time', () => {
    for (let row = 0; row < trace.spans.length; row++) {
      if (trace.spans.stream[row] !== STREAM.compute) continue;
      for (const { from, to } of dependenciesOf(trace, row)) expect(trace.spans.startNs[from]).toBeLessThanOrEqual(trace.spans.startNs[to]!);
    }
  });

  it('are drawn as arrows', () => {
    const marks = layoutMarks(trace);
    const plot = { surface: createRecordingSurface(), frame: { left: 0, width: 900, startNs: 0, endNs: marks.endNs }, theme: LIGHT };
    drawTimeline(plot, marks, { arrows: dependenciesOf(trace, rowOf(KIND.forward, 1, 0)) });
    expect(plot.surface.pathsDrawn.some((data) => data.includes('C'))).toBe(true);
  });
});
