import { drawMemory } from '../memory/draw-memory.ts';
import { layoutMemory, type MemoryMarks } from '../memory/memory-marks.ts';
import type { LabelledTrace } from '../report.ts';
import { THEMES, type ThemeName } from '../theme.ts';
import { figuresMarkup } from '../timeline-markup.ts';
import type { ColourBy } from '../timeline/colour-by.ts';
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
  readonly traces: () => readonly LabelledTrace[];
  readonly views: () => readonly TraceView[];
  readonly zoom: TimeZoom;
  readonly frame: () => Frame;
  /** Shows other traces in the place of those before; what is kept of those is let go. */
  readonly show: (traces: readonly LabelledTrace[]) => void;
  /** Fades everything that is no part of the work; null shows all. Passing attention gives way to what is kept. */
  readonly point: (work: Work | null) => void;
  /** Keeps the highlight when attention passes on. */
  readonly keep: (work: Work | null) => void;
  readonly kept: () => Work | null;
  readonly setColours: (colourBy: ColourBy) => void;
  readonly theme: () => ThemeName;
  readonly setTheme: (theme: ThemeName) => void;
}

/** What the chart's element tells its surroundings: other traces or colours, another kept work, picture or theme. */
export type ChartEvent = 'show' | 'keep' | 'draw' | 'theme';

/** Room for half of the last label of the time axis. */
const RIGHT_MARGIN = 14;

const viewOf = (root: HTMLElement, { trace }: LabelledTrace, t: number, colourBy: ColourBy): TraceView => {
  const marks = layoutMarks(trace, colourBy);
  return {
    marks,
    memory: layoutMemory(trace, marks.endNs),
    timelineCanvas: root.querySelector<HTMLCanvasElement>(`canvas[data-view=timeline][data-trace="${t}"]`)!,
    memoryCanvas: root.querySelector<HTMLCanvasElement>(`canvas[data-view=memory][data-trace="${t}"]`),
  };
};

const chosenIn = (views: readonly TraceView[], work: Work | null): readonly (TimelineMarks | null)[] =>
  views.map(({ marks }) => (work === null ? null : chooseMarks(marks, (span) => isPartOf(marks.trace, span, work))));

const endOf = (views: readonly TraceView[]): number => Math.max(1, ...views.map(({ memory }) => memory.endNs));

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

const axisPanel = (root: HTMLElement): Panel => ({
  canvas: root.querySelector<HTMLCanvasElement>('canvas[data-view=axis]')!,
  height: AXIS_HEIGHT,
  draw: drawTimeAxis,
});

/** Builds the chart in an element; it is empty until traces are shown. */
export const createChart = (element: HTMLElement, firstTheme: ThemeName): Chart => {
  let traces: readonly LabelledTrace[] = [];
  let views: readonly TraceView[] = [];
  let panels: readonly Panel[] = [];
  let theme = firstTheme;
  let colourBy: ColourBy = 'adapter';
  let pointed: Work | null = null;
  let kept: Work | null = null;
  let shown: Work | null = null;
  let highlights: readonly (TimelineMarks | null)[] = [];

  const tell = (event: ChartEvent): boolean => element.dispatchEvent(new Event(event));
  const painter = createPainter((panel) => paintPanel(panel, frame(), THEMES[theme]));
  const redraw = (): void => {
    painter.paint(panels);
    tell('draw');
  };
  const zoom = createTimeZoom(element, redraw);
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
  /** Makes panels of the views; highlights are read when the panels are drawn. */
  const arrange = (): void => {
    panels = [axisPanel(element), ...views.flatMap((view, v) => panelsOf(view, () => highlights[v] ?? null))];
    for (const panel of panels) sizePanel(panel);
  };
  new ResizeObserver(() => {
    if (views.length > 0) resize();
  }).observe(element);

  const show = (next: readonly LabelledTrace[]): void => {
    traces = next;
    element.innerHTML = figuresMarkup(next);
    views = next.map((trace, t) => viewOf(element, trace, t, colourBy));
    pointed = kept = shown = null;
    highlights = [];
    arrange();
    zoom.setWhole(endOf(views));
    tell('show');
    tell('keep');
    resize();
  };

  return {
    element,
    traces: () => traces,
    views: () => views,
    zoom,
    frame,
    show,
    point: (work) => {
      pointed = work;
      highlight();
    },
    keep: (work) => {
      kept = work;
      tell('keep');
      highlight();
    },
    kept: () => kept,
    setColours: (by) => {
      colourBy = by;
      views = views.map((view) => ({ ...view, marks: { ...view.marks, colourBy } }));
      highlights = chosenIn(views, shown);
      arrange();
      tell('show');
      redraw();
    },
    theme: () => theme,
    setTheme: (name) => {
      theme = name;
      tell('theme');
      redraw();
    },
  };
};
