/** The frame that bars, lines and scatter plots share: a value axis at the left, an axis below, marks between them. */
import { centredBaseline, lineData } from '../surface/surface.ts';
import { textWidth, wrapText } from '../surface/text-width.ts';
import { createAxis, nameOf, type Axis, type AxisTick, type Quantity } from './axis.ts';
import type { ChartPage } from './chart.ts';

/** Inner plot area in pixels. */
export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What the marks are drawn with. */
export interface XyPlot extends ChartPage {
  readonly area: Area;
  readonly y: Axis;
}

export interface XyParts {
  readonly y: Quantity;
  /** All values that the left axis has to hold. */
  readonly yValues: readonly number[];
  /** Name of the axis below. */
  readonly xName: string;
  readonly xTicks: (area: Area) => readonly AxisTick[];
  /** Height of the plot area over the chart's width. */
  readonly aspect?: number;
  readonly drawMarks: (plot: XyPlot) => void;
}

export const TICK_SIZE = 10;
const TICK_LENGTH = 4;
const LABEL_GAP = 6;
const LEADING = TICK_SIZE + 2;
const ASPECT = 0.46;
const LOWEST = 120;
const MOST_LINES = 3;

const labelWidth = ({ ticks }: Axis): number => Math.max(0, ...ticks.map(({ label }) => textWidth(label, TICK_SIZE)));

/** Where the axes lie: the left one has room for its widest label. */
const placeArea = ({ width }: ChartPage, { y, yValues, aspect = ASPECT }: XyParts): Area => {
  const height = Math.max(LOWEST, Math.round(width * aspect));
  const top = LEADING + 8;
  const trial = createAxis(y, yValues, [top + height, top], 'vertical');
  return { left: Math.ceil(labelWidth(trial)) + LABEL_GAP + 2, right: width - 6, top, bottom: top + height };
};

const drawValueAxis = ({ surface, theme, area, y }: XyPlot, quantity: Quantity): void => {
  surface.text(0, TICK_SIZE, nameOf(quantity), { size: TICK_SIZE, fill: theme.muted });
  const grid = y.ticks.map(({ at }) => lineData(area.left, at, area.right, at));
  if (grid.length > 0) surface.path(grid.join(''), { stroke: theme.grid });
  for (const { at, label } of y.ticks) {
    const style = { size: TICK_SIZE, fill: theme.muted, anchor: 'end' } as const;
    surface.text(area.left - LABEL_GAP, centredBaseline(at, TICK_SIZE), label, style);
  }
};

/** Room for each tick's label: what is closest to its neighbours counts for all. */
const tickRoom = (ticks: readonly AxisTick[], { left, right }: Area): number =>
  ticks.slice(1).reduce((room, { at }, i) => Math.min(room, at - ticks[i]!.at), right - left) - LABEL_GAP;

/** A label in lines, broken between words and after hyphens. */
const linesOf = (label: string, room: number): readonly string[] => {
  if (textWidth(label, TICK_SIZE) <= room) return [label];
  const lines = wrapText(label.replaceAll('-', '- '), TICK_SIZE, room);
  return lines.slice(0, MOST_LINES).map((line) => line.replaceAll('- ', '-'));
};

/** Draws ticks and their labels, broken into lines where they are too long; returns how far down they reach. */
const drawTicks = ({ surface, theme, area }: XyPlot, ticks: readonly AxisTick[]): number => {
  const room = tickRoom(ticks, area);
  let lineCount = 1;
  for (const { at, label } of ticks) {
    surface.path(lineData(at, area.bottom, at, area.bottom + TICK_LENGTH), { stroke: theme.muted });
    const lines = linesOf(label, room);
    lineCount = Math.max(lineCount, lines.length);
    for (const [l, line] of lines.entries()) {
      const baseline = area.bottom + TICK_LENGTH + TICK_SIZE + l * LEADING;
      surface.text(at, baseline, line, { size: TICK_SIZE, fill: theme.ink, anchor: 'middle' });
    }
  }
  return area.bottom + TICK_LENGTH + lineCount * LEADING;
};

/** Draws axes and marks; returns the height of all in pixels. */
export const drawXyPlot = (page: ChartPage, parts: XyParts): number => {
  const area = placeArea(page, parts);
  const y = createAxis(parts.y, parts.yValues, [area.bottom, area.top], 'vertical');
  const plot: XyPlot = { ...page, area, y };
  const { surface, theme } = page;
  drawValueAxis(plot, parts.y);
  parts.drawMarks(plot);
  surface.path(lineData(area.left, area.bottom, area.right, area.bottom), { stroke: theme.muted });
  const labelsEnd = drawTicks(plot, parts.xTicks(area));
  const nameStyle = { size: TICK_SIZE, fill: theme.muted, anchor: 'middle' } as const;
  surface.text((area.left + area.right) / 2, labelsEnd + TICK_SIZE + 2, parts.xName, nameStyle);
  return labelsEnd + TICK_SIZE + 6;
};
