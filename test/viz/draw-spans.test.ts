import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIGHT } from '../../viz/theme.ts';
import { drawSpans } from '../../viz/timeline/draw-spans.ts';
import { scaleOf, type Frame } from '../../viz/timeline/frame.ts';
import { layoutMarks, type TimelineMarks } from '../../viz/timeline/marks.ts';
import { createRecordingSurface, type RecordedBox } from './recording-surface.ts';
import { pipelineTrace } from './traces.ts';

const trace = pipelineTrace({ devices: 3, adapters: ['a', 'b'], iterations: 6, transferNs: 2e5 });
const marks = layoutMarks(trace);
const grouped = layoutMarks(pipelineTrace({ devices: 2, adapters: ['a', 'b', 'c'], grouped: true, iterations: 3 }));

const drawnBoxes = (drawn: TimelineMarks, frame: Frame): readonly RecordedBox[] => {
  const surface = createRecordingSurface();
  drawSpans({ surface, frame, theme: LIGHT }, drawn);
  return surface.boxesDrawn;
};

const SLACK = 1e-6;

const isInside = ({ left, width }: Frame, drawn: TimelineMarks, box: RecordedBox): boolean =>
  box.x >= left - SLACK &&
  box.x + box.width <= left + width + SLACK &&
  drawn.rows.some(({ row }) => box.y >= row.y - SLACK && box.y + box.height <= row.y + row.height + SLACK);

/** Windows of time from the whole run down to a single op, plots from a column's to a screen's width. */
const frames = fc
  .record({
    left: fc.integer({ min: 0, max: 200 }),
    width: fc.integer({ min: 20, max: 2000 }),
    from: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.double({ min: 0.01, max: 1, noNaN: true }),
  })
  .map(({ left, width, from, length }): Frame => {
    const startNs = from * marks.endNs;
    return { left, width, startNs, endNs: startNs + length * marks.endNs };
  });

describe('the marks of a timeline', () => {
  it('lie inside their row and the plot area in every window of time', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        for (const drawn of [marks, grouped]) {
          expect(drawnBoxes(drawn, frame).filter((box) => !isInside(frame, drawn, box))).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('show every span of the window where there is room', () => {
    const frame: Frame = { left: 0, width: 4000, startNs: 0, endNs: marks.endNs };
    const bars = drawnBoxes(marks, frame).filter(({ fill }) => fill !== LIGHT.shadow);
    expect(bars.length).toBe(trace.spans.length);
  });

  it('split a BatchLoRA microbatch into equal stripes, one per adapter', () => {
    const frame: Frame = { left: 0, width: 3000, startNs: 0, endNs: grouped.endNs };
    const first = drawnBoxes(grouped, frame).filter(({ x, y, fill }) => x === 0 && y < 22 && fill !== LIGHT.shadow);
    expect(first.map(({ fill }) => fill)).toEqual(LIGHT.adapters.slice(0, 3).map(({ tint }) => tint));
    expect(first.map(({ height }) => height)).toEqual([22 / 3, 22 / 3, 22 / 3]);
  });

  it('tell forward, backward and step apart without colour', () => {
    const frame: Frame = { left: 0, width: 4000, startNs: 0, endNs: marks.endNs };
    const compute = marks.rows[0]!;
    const shadowAt = (span: number): number => {
      const x = trace.spans.startNs[span]! * scaleOf(frame);
      const box = drawnBoxes(marks, frame).find((b) => b.fill === LIGHT.shadow && b.y < 22 && Math.abs(b.x - x) < 0.5);
      return box?.height ?? 0;
    };
    const firstOf = (kind: number): number => compute.index.find((span) => trace.spans.kind[span] === kind)!;
    const [forward, backward, step] = [0, 1, 2].map(firstOf).map(shadowAt) as [number, number, number];
    expect(forward).toBe(0);
    expect(backward).toBeGreaterThan(0);
    expect(step).toBeGreaterThan(backward);
  });

  it('keep the share of busy time of a row too full for single bars', () => {
    const dense = layoutMarks(pipelineTrace({ devices: 2, adapters: ['a', 'b'], iterations: 60 }));
    const { spans } = dense.trace;
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 300 }), fc.double({ min: 0, max: 0.5, noNaN: true }), (width, from) => {
        const frame: Frame = { left: 7, width, startNs: from * dense.endNs, endNs: dense.endNs };
        const { row, index } = dense.rows[0]!;
        const drawn = drawnBoxes(dense, frame).filter(({ y }) => y < row.height);
        const area = drawn.reduce((sum, box) => sum + box.width * box.height, 0);
        const busyNs = index.reduce(
          (sum, i) => sum + Math.max(0, spans.endNs[i]! - Math.max(spans.startNs[i]!, frame.startNs)),
          0,
        );
        const expected = busyNs * scaleOf(frame) * row.height;
        expect(Math.abs(area - expected) / expected).toBeLessThan(0.01);
      }),
      { numRuns: 40 },
    );
  });

  it('do not make a stream of short transfers look busy', () => {
    const short = layoutMarks(pipelineTrace({ devices: 2, adapters: ['a', 'b'], iterations: 20, transferNs: 1e4 }));
    const frame: Frame = { left: 0, width: 250, startNs: 0, endNs: short.endNs };
    const sends = short.rows.find(({ row }) => row.stream === 1)!;
    expect(sends.index.length).toBeLessThan(frame.width);
    const drawn = drawnBoxes(short, frame).filter(
      (b) => b.fill !== LIGHT.shadow && b.y >= sends.row.y && b.y < sends.row.y + sends.row.height,
    );
    expect(drawn.reduce((sum, { width }) => sum + width, 0)).toBeLessThan(0.3 * frame.width);
  });
});
