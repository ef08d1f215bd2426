import { extent, format, interpolateLab, lab } from 'd3';
import { centredBaseline } from '../surface/surface.ts';
import { fitText, textWidth, wrapText } from '../surface/text-width.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';
import { nameOf, type Quantity } from './axis.ts';
import type { Chart, ChartPage, ChartText } from './chart.ts';
import { TICK_SIZE } from './xy-plot.ts';

/** A table of numbers as colours, the number in every cell. */
export interface HeatMap extends ChartText {
  /** What the cells hold. */
  readonly quantity: Quantity;
  readonly columns: readonly string[];
  readonly columnName: string;
  readonly rows: readonly string[];
  readonly rowName: string;
  /** Row by row; null where there is no value. */
  readonly values: readonly (readonly (number | null)[])[];
  /** d3 format of the numbers; three digits unless told. */
  readonly format?: string;
}

const CELL_GAP = 2;
const CELL = { least: 20, most: 34 } as const;
const LEADING = TICK_SIZE + 2;
const NUMBER_SIZE = 10;
const NO_VALUE = '–';
/** Palest colour a value has, as a share of the way from the paper to the full colour. */
const PALEST = 0.06;

interface Shading {
  readonly fill: string;
  readonly ink: string;
}

/** Colour of a value on the way from pale to full, and a colour of letters that can be read on it. */
const shadingOf = (theme: Theme, share: number): Shading => {
  const fill = lab(interpolateLab(theme.paper, colourOfAdapter(theme, 0).main)(PALEST + (1 - PALEST) * share));
  return { fill: fill.formatHex(), ink: fill.l > 58 ? '#14181d' : '#ffffff' };
};

const shareIn = ([low, high]: readonly [number, number], value: number): number =>
  high === low ? 0.5 : (value - low) / (high - low);

const rangeOf = ({ values }: HeatMap): readonly [number, number] => {
  const [low = 0, high = 1] = extent(values.flat().filter((value) => value !== null));
  return [low, high];
};

interface Grid {
  readonly left: number;
  readonly top: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  readonly headings: readonly (readonly string[])[];
}

const placeGrid = ({ rows, columns, rowName }: HeatMap, width: number): Grid => {
  const labels = [rowName, ...rows].map((label) => textWidth(label, TICK_SIZE));
  const left = Math.min(Math.ceil(Math.max(...labels)) + 8, width * 0.4);
  const cellWidth = (width - left) / Math.max(1, columns.length);
  const headings = columns.map((column) => wrapText(column, TICK_SIZE, cellWidth - 4));
  const lines = Math.max(1, ...headings.map((heading) => heading.length));
  const cellHeight = Math.min(CELL.most, Math.max(CELL.least, cellWidth * 0.6));
  return { left, top: (lines + 1) * LEADING + 6, cellWidth, cellHeight, headings };
};

const drawHeadings = ({ surface, theme, width }: ChartPage, chart: HeatMap, grid: Grid): void => {
  const { left, cellWidth, headings, top } = grid;
  const muted = { size: TICK_SIZE, fill: theme.muted };
  surface.text(left + (width - left) / 2, TICK_SIZE, chart.columnName, { ...muted, anchor: 'middle' });
  surface.text(0, top - 6, fitText(chart.rowName, TICK_SIZE, left - 8), muted);
  for (const [c, heading] of headings.entries()) {
    for (const [l, line] of heading.entries()) {
      const y = top - 6 - (heading.length - 1 - l) * LEADING;
      surface.text(left + (c + 0.5) * cellWidth, y, line, { size: TICK_SIZE, fill: theme.ink, anchor: 'middle' });
    }
  }
};

const drawRow = ({ surface, theme }: ChartPage, chart: HeatMap, grid: Grid, r: number): void => {
  const { left, cellWidth, cellHeight } = grid;
  const number = format(chart.format ?? ',.3~r');
  const range = rangeOf(chart);
  const middle = cellHeight / 2;
  const label = fitText(chart.rows[r]!, TICK_SIZE, left - 8);
  surface.text(0, centredBaseline(middle, TICK_SIZE), label, { size: TICK_SIZE, fill: theme.ink });
  for (const c of chart.columns.keys()) {
    const value = chart.values[r]?.[c] ?? null;
    const { fill, ink } = value === null ? { fill: theme.track, ink: theme.muted } : shadingOf(theme, shareIn(range, value));
    surface.boxes(fill, [left + c * cellWidth, 0, cellWidth - CELL_GAP, cellHeight - CELL_GAP]);
    const text = value === null ? NO_VALUE : number(value);
    if (textWidth(text, NUMBER_SIZE) > cellWidth - CELL_GAP) continue;
    const style = { size: NUMBER_SIZE, fill: ink, anchor: 'middle' } as const;
    surface.text(left + (c + 0.5) * cellWidth - CELL_GAP / 2, centredBaseline(middle - 1, NUMBER_SIZE), text, style);
  }
};

const SCALE_STEPS = 24;
const SCALE_WIDTH = 120;
const SCALE_HEIGHT = 8;

/** The colours from the lowest to the highest value with their numbers and the quantity's name. */
const drawScale = ({ surface, theme }: ChartPage, chart: HeatMap): number => {
  const number = format(chart.format ?? ',.3~r');
  const [low, high] = rangeOf(chart).map(number) as [string, string];
  const muted = { size: TICK_SIZE, fill: theme.muted };
  const from = Math.ceil(textWidth(low, TICK_SIZE)) + 4;
  const step = SCALE_WIDTH / SCALE_STEPS;
  surface.text(0, SCALE_HEIGHT, low, muted);
  for (let s = 0; s < SCALE_STEPS; s++) {
    surface.boxes(shadingOf(theme, s / (SCALE_STEPS - 1)).fill, [from + s * step, 0, step + 0.5, SCALE_HEIGHT]);
  }
  surface.text(from + SCALE_WIDTH + 6, SCALE_HEIGHT, `${high}   ${nameOf(chart.quantity)}`, muted);
  return SCALE_HEIGHT + 4;
};

const drawGrid = (chart: HeatMap, page: ChartPage): number => {
  const grid = placeGrid(chart, page.width);
  drawHeadings(page, chart, grid);
  let y = grid.top;
  for (const r of chart.rows.keys()) {
    page.surface.lower(y, () => drawRow(page, chart, grid, r));
    y += grid.cellHeight;
  }
  y += 10;
  page.surface.lower(y, () => (y += drawScale(page, chart)));
  return y;
};

const describe = ({ title, quantity, rows, columns, rowName, columnName, values }: HeatMap): string => {
  const lines = rows.map((row, r) => `${row}: ${columns.map((column, c) => `${column} ${values[r]?.[c] ?? 'none'}`).join(', ')}`);
  return `${title}. ${nameOf(quantity)} by ${rowName} and ${columnName}. ${lines.join('; ')}.`;
};

/** A table whose cells are coloured by value, from pale for the lowest to full for the highest. */
export const heatMap = (chart: HeatMap): Chart => ({
  text: chart,
  description: describe(chart),
  legend: () => [],
  draw: (page) => drawGrid(chart, page),
});
