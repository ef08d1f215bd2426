import { splitIdle } from '../core/explain/idle.ts';
import type { Trace } from '../core/trace/trace.ts';
import { metricsLine } from './metrics-line.ts';
import { drawHeader } from './header.ts';
import { PADDING, svgDocument } from './surface/svg-document.ts';
import { createSvgSurface } from './surface/svg-surface.ts';
import { THEMES, type Theme, type ThemeName } from './theme.ts';
import { causesIn, layoutBubbles, type Bubbles } from './timeline/bubbles.ts';
import type { ColourBy } from './timeline/colour-by.ts';
import { drawTimeline } from './timeline/draw-timeline.ts';
import type { Frame } from './timeline/frame.ts';
import { gutterWidth } from './timeline/gutter.ts';
import { adapterLegend, causeLegend, drawLegend, kindLegend, type LegendItem } from './timeline/legend.ts';
import { layoutMarks, type TimelineMarks } from './timeline/marks.ts';
import type { Plot } from './timeline/plot.ts';
import { AXIS_HEIGHT, drawTimeAxis } from './timeline/time-axis.ts';
import { drawMemory } from './memory/draw-memory.ts';
import { memoryLegend } from './memory/memory-legend.ts';
import { layoutMemory, type MemoryMarks } from './memory/memory-marks.ts';

export interface TimelineOptions {
  /** Defaults to schedule, number of devices and source. */
  readonly title?: string;
  /** Line under the title; defaults to makespan, bubble ratio and throughput. */
  readonly subtitle?: string;
  /** Pixels; 960 unless told. At a paper's column width 480 keeps the letters readable. */
  readonly width?: number;
  readonly theme?: ThemeName;
  /** What the colours tell apart; adapters unless told. */
  readonly colourBy?: ColourBy;
  /** Shades idle time by cause; false unless told. */
  readonly bubbles?: boolean;
  /** Draws the memory curves under the timeline; true unless told. */
  readonly memory?: boolean;
  /** End of the time axis in nanoseconds, to compare with another trace; the trace's own end unless told. */
  readonly endNs?: number;
}

const DEFAULT_WIDTH = 960;
const GAP = 14;
const HEADING_SIZE = 12;
const LEGEND_GAP = 8;

/** Parts are drawn one under the other: each starts at y = 0 and returns the height it took. */
interface Page extends Plot {
  readonly width: number;
}

type Part = (page: Page) => number;

const header =
  (title: string, subtitle: string): Part =>
  ({ surface, theme, width }) =>
    drawHeader(surface, theme, { title, subtitle }, width) + GAP;

const legend =
  (itemsOf: (theme: Theme) => readonly LegendItem[]): Part =>
  ({ surface, theme, width }) =>
    drawLegend(surface, itemsOf(theme), theme, width) + LEGEND_GAP;

const timeline =
  (marks: TimelineMarks, bubbles: Bubbles | null): Part =>
  (page) => {
    drawTimeline(page, marks, { bubbles });
    page.surface.lower(marks.height, () => drawTimeAxis(page));
    return marks.height + AXIS_HEIGHT + GAP;
  };

const memory =
  (marks: MemoryMarks): Part =>
  (page) => {
    drawMemory(page, marks);
    page.surface.lower(marks.height, () => drawTimeAxis(page));
    return marks.height + AXIS_HEIGHT;
  };

const heading =
  (text: string): Part =>
  ({ surface, theme }) => {
    surface.text(0, HEADING_SIZE, text, { size: HEADING_SIZE, fill: theme.ink, bold: true });
    return HEADING_SIZE + 8;
  };

const drawParts = (page: Page, parts: readonly Part[]): number => {
  let y = PADDING;
  for (const part of parts) page.surface.lower(y, () => (y += part(page)));
  return y;
};

const defaultTitle = ({ plan, devices, source }: Trace): string =>
  `${plan.schedule} on ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}, ${source}`;

/** A trace as one standalone SVG document: timeline, time axis, legends, and memory per device. */
export const timelineSvg = (trace: Trace, options: TimelineOptions = {}): string => {
  const { title = defaultTitle(trace), subtitle = metricsLine(trace) } = options;
  const { colourBy = 'adapter' } = options;
  const marks = layoutMarks(trace, colourBy);
  const bubbles = options.bubbles === true && trace.kernels === undefined ? layoutBubbles(trace, splitIdle(trace).gaps) : null;
  const bands = layoutMemory(trace, marks.endNs);
  const surface = createSvgSurface();
  const width = (options.width ?? DEFAULT_WIDTH) - 2 * PADDING;
  const left = gutterWidth([trace], width);
  const frame: Frame = { left, width: width - left, startNs: 0, endNs: options.endNs ?? bands.endNs };
  const page: Page = { surface, theme: THEMES[options.theme ?? 'light'], width, frame };
  const withMemory = options.memory !== false && bands.height > 0;
  const height = drawParts(page, [
    header(title, subtitle),
    ...(colourBy === 'adapter' ? [legend((theme) => adapterLegend(trace.plan.adapters, theme))] : []),
    legend((theme) => kindLegend([trace], theme, colourBy)),
    ...(bubbles === null ? [] : [legend((theme) => causeLegend(causesIn([bubbles]), theme))]),
    timeline(marks, bubbles),
    ...(withMemory
      ? [heading('Memory per device'), legend((theme) => memoryLegend([trace], theme)), memory(bands)]
      : []),
  ]);
  return svgDocument(
    { width, height: height - PADDING, paper: page.theme.paper, title, description: subtitle },
    surface.markup(),
  );
};
