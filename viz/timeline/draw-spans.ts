import { STREAM } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { centredBaseline, type Surface, type TextStyle } from '../surface/surface.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';
import { createBoxBatch, type BoxBatch } from './batch.ts';
import { addDensity, isTooDense } from './density.ts';
import { clampX, xOf, type Frame } from './frame.ts';
import { visibleRange, type RowMarks, type TimelineMarks } from './marks.ts';
import type { Plot } from './plot.ts';
import { shadeOf, stripeAdapter, stripeCount } from './span-fill.ts';
import { labelFor } from './span-label.ts';

/** Narrowest bar in pixels where there is room: a span without length is still there. */
const HAIRLINE = 1;
/** Free pixels at the end of a bar, so that equal neighbours can be told apart; narrow bars go without. */
const SEPARATION = 1;
const SEPARATED_FROM = 4;
/** Height of the mark at a backward's foot as a share of the bar, and in pixels at least. */
const FOOT_SHARE = 0.16;
const LOWEST_FOOT = 2;

/** Narrowest bar of a row of so many spans: thickening them all to hairlines would make an idle row look busy. */
const narrowestBar = (spans: number, { width }: Frame): number => Math.min(HAIRLINE, width / (4 * Math.max(1, spans)));

/** Left edge and width in pixels of a span's bar inside the plot area. */
const barOf = (frame: Frame, { spans }: Trace, span: number, narrowest: number): readonly [number, number] => {
  const x = clampX(frame, xOf(frame, spans.startNs[span]!));
  const width = clampX(frame, xOf(frame, spans.endNs[span]!)) - x;
  if (width >= SEPARATED_FROM) return [x, width - SEPARATION];
  return width >= narrowest ? [x, width] : [Math.min(x, frame.left + frame.width - narrowest), narrowest];
};

/** What a row is drawn with, from below: bars, the shadows that mark backward and step, labels. */
interface Layers {
  readonly bars: BoxBatch;
  readonly shadows: BoxBatch;
  readonly labels: ((surface: Surface) => void)[];
}

interface Bar {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const addStripes = (bars: BoxBatch, trace: Trace, span: number, { x, y, width, height }: Bar, theme: Theme): void => {
  const shade = shadeOf(trace, span);
  if (shade === 'lifecycle') return bars.add(theme.neutral, x, y, width, height);
  const stripes = stripeCount(trace, span);
  for (let s = 0; s < stripes; s++) {
    const { tint, main } = colourOfAdapter(theme, stripeAdapter(trace, span, s));
    bars.add(shade === 'forward' ? tint : main, x, y + (s * height) / stripes, width, height / stripes);
  }
};

const addShadow = (shadows: BoxBatch, trace: Trace, span: number, { x, y, width, height }: Bar, theme: Theme): void => {
  const shade = shadeOf(trace, span);
  if (shade === 'step') shadows.add(theme.shadow, x, y, width, height);
  if (shade !== 'backward') return;
  const foot = Math.max(LOWEST_FOOT, height * FOOT_SHARE);
  shadows.add(theme.shadow, x, y + height - foot, width, foot);
};

const labelColours = (trace: Trace, span: number, theme: Theme): Pick<TextStyle, 'fill' | 'halo'> => {
  const shade = shadeOf(trace, span);
  if (stripeCount(trace, span) > 1) return { fill: theme.ink, halo: theme.paper };
  if (shade === 'step') return { fill: theme.paper };
  if (shade === 'backward') return { fill: colourOfAdapter(theme, stripeAdapter(trace, span, 0)).onMain };
  return { fill: theme.ink };
};

const addLabel = (
  labels: Layers['labels'],
  trace: Trace,
  span: number,
  { x, y, width, height }: Bar,
  theme: Theme,
): void => {
  const label = labelFor(trace, span, width);
  if (label === null) return;
  const { text, size } = label;
  const style: TextStyle = { size, anchor: 'middle', ...labelColours(trace, span, theme) };
  labels.push((surface) => surface.text(x + width / 2, centredBaseline(y + height / 2 - 1, size), text, style));
};

const addBars = (layers: Layers, trace: Trace, { row, index }: RowMarks, { frame, theme }: Plot): void => {
  const narrowest = narrowestBar(index.length, frame);
  for (const span of index) {
    const [x, width] = barOf(frame, trace, span, narrowest);
    const bar: Bar = { x, y: row.y, width, height: row.height };
    addStripes(layers.bars, trace, span, bar, theme);
    addShadow(layers.shadows, trace, span, bar, theme);
    if (row.stream === STREAM.compute) addLabel(layers.labels, trace, span, bar, theme);
  }
};

const drawRow = (plot: Plot, trace: Trace, rowMarks: RowMarks): void => {
  const { surface, frame } = plot;
  const [from, to] = visibleRange(rowMarks, trace, frame.startNs, frame.endNs);
  const visible: RowMarks = { ...rowMarks, index: rowMarks.index.subarray(from, to) };
  const layers: Layers = { bars: createBoxBatch(), shadows: createBoxBatch(), labels: [] };
  if (isTooDense(to - from, frame)) addDensity(layers.bars, trace, visible, plot);
  else addBars(layers, trace, visible, plot);
  layers.bars.drawOn(surface);
  layers.shadows.drawOn(surface);
  for (const draw of layers.labels) draw(surface);
};

/** Draws the spans in the frame's window of time, row by row; rows too full for single bars as columns of time shares. */
export const drawSpans = (plot: Plot, { trace, rows }: TimelineMarks): void => {
  for (const rowMarks of rows) drawRow(plot, trace, rowMarks);
};
