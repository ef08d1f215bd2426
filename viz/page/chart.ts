import { drawMemory } from '../memory/draw-memory.ts';
import { layoutMemory, type MemoryMarks } from '../memory/memory-marks.ts';
import type { LabelledTrace } from '../report.ts';
import { THEMES, type ThemeName } from '../theme.ts';
import { drawTimeline } from '../timeline/draw-timeline.ts';
import type { Frame } from '../timeline/frame.ts';
import { gutterWidth } from '../timeline/gutter.ts';
import { chooseMarks, layoutMarks, type TimelineMarks } from '../timeline/marks.ts';
import { AXIS_HEIGHT, drawTimeAxis } from '../timeline/time-axis.ts';
import { isPartOf, isSameWork, type Work } from '../timeline/work.ts';
import { createPainter } from './painter.ts';
import { paintPanel, sizePanel, type Panel } from './panel.ts';
import { createTimeZoom, type TimeZoom } from './time-zoom.ts';

/** One trace on the page with its layouts and canvases. */
export interface TraceView {
  readonly marks: TimelineMarks;
  readonly memory: MemoryMarks;
  readonly timelineCanvas: HTMLCanvasElement;
  /** Null where the trace has no memory. */
  readonly memoryCanvas: HTMLCanvasElement | null;
}

/** All timelines and memory curves of the page on their common time axis. */
export interface Chart {
  readonly element: HTMLElement;
  readonly views: readonly TraceView[];
  readonly zoom: TimeZoom;
  readonly frame: () => Frame;
  /** Fades everything that is no part of the work; null shows all. Passing attention gives way to what is kept. */
  readonly point: (work: Work | null) => void;
  /** Keeps the highlight when attention passes on; the element hears of it as a `keep` event. */
  readonly keep: (work: Work | null) => void;
  readonly kept: () => Work | null;
  readonly setTheme: (theme: ThemeName) => void;
}

/** Room for half of the last label of the time axis. */
const RIGHT_MARGIN = 14;

const viewOf = (root: HTMLElement, { trace }: LabelledTrace, t: number): TraceView => {
  const marks = layoutMarks(trace);
  return {
    marks,
    memory: layoutMemory(trace, marks.endNs),
    timelineCanvas: root.querySelector<HTMLCanvasElement>(`canvas[data-view=timeline][data-trace="${t}"]`)!,
    memoryCanvas: root.querySelector<HTMLCanvasElement>(`canvas[data-view=memory][data-trace="${t}"]`),
  };
};

const chosenIn = (views: readonly TraceView[], work: Work | null): readonly (TimelineMarks | null)[] =>
  views.map(({ marks }) => (work === null ? null : chooseMarks(marks, (span) => isPartOf(marks.trace, span, work))));

const panelsOf = (
  { marks, memory, timelineCanvas, memoryCanvas }: TraceView,
  highlight: () => TimelineMarks | null,
): readonly Panel[] => [
  {
    canvas: timelineCanvas,
    height: marks.height,
    draw: (plot) => drawTimeline(plot, marks, highlight()),
  },
  ...(memoryCanvas === null ? [] : [memoryPanel(memoryCanvas, memory)]),
];

const memoryPanel = (canvas: HTMLCanvasElement, memory: MemoryMarks): Panel => ({
  canvas,
  height: memory.height,
  draw: (plot) => drawMemory(plot, memory),
});

/** Builds the chart in an element that holds the canvases. */
export const createChart = (element: HTMLElement, traces: readonly LabelledTrace[], firstTheme: ThemeName): Chart => {
  const views = traces.map((trace, t) => viewOf(element, trace, t));
  let theme = firstTheme;
  let pointed: Work | null = null;
  let kept: Work | null = null;
  let shown: Work | null = null;
  let highlights = chosenIn(views, null);

  const axis: Panel = {
    canvas: element.querySelector<HTMLCanvasElement>('canvas[data-view=axis]')!,
    height: AXIS_HEIGHT,
    draw: drawTimeAxis,
  };
  const panels = [axis, ...views.flatMap((view, v) => panelsOf(view, () => highlights[v] ?? null))];
  const redraw = createPainter(panels, (panel) => paintPanel(panel, frame(), THEMES[theme]));
  const zoom = createTimeZoom(element, Math.max(1, ...views.map(({ memory }) => memory.endNs)), redraw);
  const frame = (): Frame => {
    const left = gutterWidth(
      traces.map(({ trace }) => trace),
      element.clientWidth,
    );
    return { left, width: Math.max(1, element.clientWidth - left - RIGHT_MARGIN), ...zoom.window() };
  };
  const resize = (): void => {
    const { left, width } = frame();
    zoom.resize(left, width);
  };
  const highlight = (): void => {
    const work = pointed ?? kept;
    if (isSameWork(work, shown)) return;
    shown = work;
    highlights = chosenIn(views, work);
    redraw();
  };
  for (const panel of panels) sizePanel(panel);
  new ResizeObserver(resize).observe(element);
  resize();

  return {
    element,
    views,
    zoom,
    frame,
    point: (work) => {
      pointed = work;
      highlight();
    },
    keep: (work) => {
      kept = work;
      element.dispatchEvent(new Event('keep'));
      highlight();
    },
    kept: () => kept,
    setTheme: (name) => {
      theme = name;
      redraw();
    },
  };
};
