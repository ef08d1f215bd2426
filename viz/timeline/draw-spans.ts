import { STREAM } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { HATCH_WIDTH, hatchData } from '../surface/hatch.ts';
import { centredBaseline, type Surface, type TextStyle } from '../surface/surface.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';
import { createBoxBatch, type BoxBatch } from './batch.ts';
import { colourNumber, stripesBy, type ColourBy } from './colour-by.ts';
import { drawDensity, isTooDense, type VisibleRow } from './density.ts';
import { clampX, xOf, type Frame } from './frame.ts';
import { visibleRange, type RowMarks, type TimelineMarks } from './marks.ts';
import type { Plot } from './plot.ts';
import { shadeOf } from './span-fill.ts';
import { labelFor } from './span-label.ts';

/** Narrowest bar in pixels where there is room: a span without length is still there. */
const HAIRLINE = 1;
/** Free pixels at the end of a bar, so that equal neighbours can be told apart; narrow bars go without. */
const SEPARATION = 1;
const SEPARATED_FROM = 4;
/** Height of the mark at a backward's foot as a share of the bar, and in pixels at least. */
const FOOT_SHARE = 0.16;
const LOWEST_FOOT = 2;

/** Rows lower than this many pixels have no labels. */
const LOWEST_LABELLED = 12;

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
  /** Path data of hatches: weight gradients, and everything on the stream of collectives. */
  readonly hatches: string[];
  readonly labels: ((surface: Surface) => void)[];
}

interface Bar {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A span, and how it is coloured. */
interface Coloured {
  readonly trace: Trace;
  readonly span: number;
  readonly colourBy: ColourBy;
  readonly theme: Theme;
}

const addStripes = (bars: BoxBatch, { trace, span, colourBy, theme }: Coloured, { x, y, width, height }: Bar): void => {
  const shade = shadeOf(trace, span);
  if (shade === 'lifecycle') return bars.add(theme.neutral, x, y, width, height);
  const stripes = stripesBy(trace, span, colourBy);
  for (let s = 0; s < stripes; s++) {
    const { tint, main } = colourOfAdapter(theme, colourNumber(trace, span, s, colourBy));
    bars.add(shade === 'forward' ? tint : main, x, y + (s * height) / stripes, width, height / stripes);
  }
};

const addShadow = (shadows: BoxBatch, { trace, span, theme }: Coloured, { x, y, width, height }: Bar): void => {
  const shade = shadeOf(trace, span);
  if (shade === 'step') shadows.add(theme.shadow, x, y, width, height);
  if (shade !== 'backward') return;
  const foot = Math.max(LOWEST_FOOT, height * FOOT_SHARE);
  shadows.add(theme.shadow, x, y + height - foot, width, foot);
};

/** A bar as wide as this many pixels shows a hatch. */
const HATCHED_FROM = 3;

const isHatched = ({ trace, span }: Coloured): boolean =>
  shadeOf(trace, span) === 'weight' || trace.spans.stream[span] === STREAM.collective;

const addHatch = (hatches: string[], coloured: Coloured, { x, y, width, height }: Bar): void => {
  if (width >= HATCHED_FROM && isHatched(coloured)) hatches.push(hatchData([x, y, width, height]));
};

const labelColours = ({ trace, span, colourBy, theme }: Coloured): Pick<TextStyle, 'fill' | 'halo'> => {
  const shade = shadeOf(trace, span);
  if (stripesBy(trace, span, colourBy) > 1) return { fill: theme.ink, halo: theme.paper };
  if (shade === 'step') return { fill: theme.paper };
  if (shade === 'backward' || shade === 'weight') {
    return { fill: colourOfAdapter(theme, colourNumber(trace, span, 0, colourBy)).onMain };
  }
  return { fill: theme.ink };
};

const addLabel = (labels: Layers['labels'], coloured: Coloured, { x, y, width, height }: Bar): void => {
  const label = labelFor(coloured.trace, coloured.span, width);
  if (label === null) return;
  const { text, size } = label;
  const style: TextStyle = { size, anchor: 'middle', ...labelColours(coloured) };
  labels.push((surface) => surface.text(x + width / 2, centredBaseline(y + height / 2 - 1, size), text, style));
};

const addBars = (layers: Layers, trace: Trace, { rowMarks, from, to, colourBy }: VisibleRow, plot: Plot): void => {
  const { frame, theme } = plot;
  const { row, index } = rowMarks;
  const narrowest = narrowestBar(to - from, frame);
  for (const span of index.subarray(from, to)) {
    const [x, width] = barOf(frame, trace, span, narrowest);
    const bar: Bar = { x, y: row.y, width, height: row.height };
    const coloured: Coloured = { trace, span, colourBy, theme };
    addStripes(layers.bars, coloured, bar);
    addShadow(layers.shadows, coloured, bar);
    addHatch(layers.hatches, coloured, bar);
    if (row.stream === STREAM.compute && row.height >= LOWEST_LABELLED) addLabel(layers.labels, coloured, bar);
  }
};

const drawRow = (plot: Plot, { trace, colourBy }: TimelineMarks, rowMarks: RowMarks): void => {
  const { surface, frame, theme } = plot;
  const [from, to] = visibleRange(rowMarks, trace, frame.startNs, frame.endNs);
  if (from >= to) return;
  const visible: VisibleRow = { rowMarks, from, to, colourBy };
  if (isTooDense(to - from, frame)) return drawDensity(trace, visible, plot);
  const layers: Layers = { bars: createBoxBatch(), shadows: createBoxBatch(), hatches: [], labels: [] };
  addBars(layers, trace, visible, plot);
  layers.bars.drawOn(surface);
  layers.shadows.drawOn(surface);
  if (layers.hatches.length > 0) surface.path(layers.hatches.join(''), { stroke: theme.shadow, width: HATCH_WIDTH });
  for (const draw of layers.labels) draw(surface);
};

/** Draws the spans in the frame's window of time, row by row; rows too full for single bars as columns of time shares. */
export const drawSpans = (plot: Plot, marks: TimelineMarks): void => {
  for (const rowMarks of marks.rows) drawRow(plot, marks, rowMarks);
};
