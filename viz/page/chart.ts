import { drawDrift, driftHeight } from '../drift/draw-drift.ts';
import { measureDrift, type Drift } from '../drift/drift.ts';
import { drawMemory } from '../memory/draw-memory.ts';
import { layoutMemory, type MemoryMarks } from '../memory/memory-marks.ts';
import { splitIdle, type Gap } from '../../core/explain/idle.ts';
import { criticalRows } from '../../core/explain/critical-path.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { LabelledTrace } from '../report.ts';
import { THEMES, type ThemeName } from '../theme.ts';
import { figuresMarkup } from '../timeline-markup.ts';
import type { ColourBy } from '../timeline/colour-by.ts';
import { layoutBubbles, type Bubbles } from '../timeline/bubbles.ts';
import { dependenciesOf } from '../timeline/dependencies.ts';
import { drawTimeline, type Overlays } from '../timeline/draw-timeline.ts';
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

/** A span of one of the traces. */
export interface Place {
  readonly view: number;
  readonly span: number;
}

/** What the reader has switched on beside the ops themselves. */
export interface ChartSettings {
  readonly colourBy: ColourBy;
  /** Shades idle time by cause. */
  readonly bubbles: boolean;
  /** Fades what is not on the critical path. */
  readonly critical: boolean;
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
  /**
   * Fades everything that is no part of the work, and draws what the span at a place depends on; null shows all. Passing
   * attention gives way to what is kept.
   */
  readonly point: (work: Work | null, place?: Place | null) => void;
  /** Keeps the highlight when attention passes on. */
  readonly keep: (work: Work | null, place?: Place | null) => void;
  readonly kept: () => Work | null;
  /** The spans of a trace that do not fade; null where none does. */
  readonly chosen: (view: number) => TimelineMarks | null;
  readonly settings: () => ChartSettings;
  readonly change: (settings: Partial<ChartSettings>) => void;
  /** Two traces op by op; null where there are not two, or they have no op in common. */
  readonly drift: () => Drift | null;
  /** Bubbles of a trace by cause, when they are shown and known. */
  readonly bubblesOf: (view: number) => Bubbles | null;
  /** Tells the gaps of every trace, where they are worked out elsewhere. */
  readonly giveGaps: (gaps: readonly (readonly Gap[])[]) => void;
  readonly theme: () => ThemeName;
  readonly setTheme: (theme: ThemeName) => void;
}

export interface ChartOptions {
  /** Whether the chart works out where devices wait, or is told; `computed` unless told. */
  readonly gaps?: 'computed' | 'given';
}

/** What the chart's element tells its surroundings: other traces or colours, known bubbles, another kept work, picture or theme. */
export type ChartEvent = 'show' | 'explain' | 'keep' | 'draw' | 'theme';

/** What the reader looks at. */
interface Attention {
  readonly work: Work | null;
  readonly place: Place | null;
}

const NOTHING: Attention = { work: null, place: null };

const isSamePlace = (a: Place | null, b: Place | null): boolean => a?.view === b?.view && a?.span === b?.span;

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

/** Spans that stay when everything else fades, by trace; null where nothing fades. */
const chosenIn = (views: readonly TraceView[], work: Work | null, critical: boolean): readonly (TimelineMarks | null)[] =>
  views.map(({ marks }) => {
    if (work !== null) return chooseMarks(marks, (span) => isPartOf(marks.trace, span, work));
    return critical ? chooseMarks(marks, isCritical(marks.trace)) : null;
  });

const isCritical = (trace: Trace): ((span: number) => boolean) => {
  if (trace.kernels !== undefined) return () => true;
  const rows = new Set(criticalRows(trace));
  return (span) => rows.has(span);
};

const endOf = (views: readonly TraceView[]): number => Math.max(1, ...views.map(({ memory }) => memory.endNs));

const panelsOf = (
  { marks, memory, timelineCanvas, memoryCanvas }: TraceView,
  overlays: () => Overlays,
): readonly Panel[] => [
  {
    canvas: timelineCanvas,
    height: marks.height,
    draw: (plot) => drawTimeline(plot, marks, overlays()),
  },
  ...(memoryCanvas === null ? [] : [memoryPanel(memoryCanvas, memory)]),
];

const memoryPanel = (canvas: HTMLCanvasElement, memory: MemoryMarks): Panel => ({
  canvas,
  height: memory.height,
  draw: (plot) => drawMemory(plot, memory),
});

const driftPanels = (root: HTMLElement, drift: Drift | null): readonly Panel[] => {
  const canvas = root.querySelector<HTMLCanvasElement>('canvas[data-view=drift]');
  return canvas === null || drift === null
    ? []
    : [{ canvas, height: driftHeight(drift), draw: (plot) => drawDrift(plot, drift) }];
};

const driftOf = ([first, second, ...others]: readonly LabelledTrace[]): Drift | null =>
  first === undefined || second === undefined || others.length > 0 ? null : measureDrift(first.trace, second.trace);

const axisPanel = (root: HTMLElement): Panel => ({
  canvas: root.querySelector<HTMLCanvasElement>('canvas[data-view=axis]')!,
  height: AXIS_HEIGHT,
  draw: drawTimeAxis,
});

/** Builds the chart in an element; it is empty until traces are shown. */
export const createChart = (element: HTMLElement, firstTheme: ThemeName, { gaps = 'computed' }: ChartOptions = {}): Chart => {
  let traces: readonly LabelledTrace[] = [];
  let views: readonly TraceView[] = [];
  let drift: Drift | null = null;
  let panels: readonly Panel[] = [];
  let theme = firstTheme;
  let settings: ChartSettings = { colourBy: 'adapter', bubbles: true, critical: false };
  let pointed: Attention = NOTHING;
  let kept: Attention = NOTHING;
  let shown: Attention = NOTHING;
  let overlays: readonly Overlays[] = [];
  const bubbles = new Map<Trace, Bubbles>();

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
  const bubblesOf = (v: number): Bubbles | null => {
    const trace = views[v]?.marks.trace;
    if (trace === undefined || !settings.bubbles) return null;
    const known = bubbles.get(trace) ?? (gaps === 'computed' && trace.kernels === undefined ? layoutBubbles(trace, splitIdle(trace).gaps) : null);
    if (known !== null) bubbles.set(trace, known);
    return known;
  };
  const giveGaps = (given: readonly (readonly Gap[])[]): void => {
    for (const [v, { marks }] of views.entries()) bubbles.set(marks.trace, layoutBubbles(marks.trace, given[v] ?? []));
    overlay();
    tell('explain');
    redraw();
  };
  const overlay = (): void => {
    const { work, place } = shown;
    const chosen = chosenIn(views, work, settings.critical);
    overlays = views.map(({ marks }, v) => ({
      highlight: chosen[v] ?? null,
      bubbles: bubblesOf(v),
      arrows: place?.view === v ? dependenciesOf(marks.trace, place.span) : [],
    }));
  };
  const attend = (): void => {
    const next = pointed.work === null ? kept : pointed;
    if (isSameWork(next.work, shown.work) && isSamePlace(next.place, shown.place)) return;
    shown = next;
    overlay();
    redraw();
  };
  /** Makes panels of the views; overlays are read when the panels are drawn. */
  const arrange = (): void => {
    panels = [
      axisPanel(element),
      ...views.flatMap((view, v) => panelsOf(view, () => overlays[v] ?? {})),
      ...driftPanels(element, drift),
    ];
    for (const panel of panels) sizePanel(panel);
  };
  new ResizeObserver(() => {
    if (views.length > 0) resize();
  }).observe(element);

  const show = (next: readonly LabelledTrace[]): void => {
    traces = next;
    drift = driftOf(next);
    element.innerHTML = figuresMarkup(next, drift);
    views = next.map((trace, t) => viewOf(element, trace, t, settings.colourBy));
    pointed = kept = shown = NOTHING;
    bubbles.clear();
    overlay();
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
    point: (work, place = null) => {
      pointed = { work, place };
      attend();
    },
    keep: (work, place = null) => {
      kept = { work, place };
      tell('keep');
      attend();
    },
    kept: () => kept.work,
    chosen: (v) => overlays[v]?.highlight ?? null,
    settings: () => settings,
    change: (changed) => {
      settings = { ...settings, ...changed };
      views = views.map((view) => ({ ...view, marks: { ...view.marks, colourBy: settings.colourBy } }));
      overlay();
      arrange();
      tell('show');
      redraw();
    },
    drift: () => drift,
    bubblesOf,
    giveGaps,
    theme: () => theme,
    setTheme: (name) => {
      theme = name;
      tell('theme');
      redraw();
    },
  };
};
