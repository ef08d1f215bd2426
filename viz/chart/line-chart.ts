import { format, line } from 'd3';
import { lineData } from '../surface/surface.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';
import { SWATCH_HEIGHT, SWATCH_WIDTH, type LegendItem } from '../timeline/legend.ts';
import { createAxis, nameOf, type Axis, type Quantity } from './axis.ts';
import type { Chart, ChartText } from './chart.ts';
import { colourOfSeries, drawMarker, markerItem } from './marker.ts';
import { drawXyPlot, type Area, type XyPlot } from './xy-plot.ts';

/** A point; y is null (or NaN) where the line has a gap. */
export type Point = readonly [x: number, y: number | null];

/** Points in order of x, joined by a line of their own colour and shape. */
export interface LineSeries {
  readonly name: string;
  readonly points: readonly Point[];
  /** Values from elsewhere at some x, drawn as hollow points. */
  readonly reference?: readonly Point[];
  /** Number of its colour; its place among the series unless told. */
  readonly colour?: number;
  /** A pale line without marks, behind what counts; false unless told. */
  readonly faint?: boolean;
}

export interface LineChart extends ChartText {
  readonly x: Quantity;
  readonly y: Quantity;
  readonly series: readonly LineSeries[];
  /** What the references are, e.g. `paper, Figure 14`; needed where a series has them. */
  readonly referenceName?: string;
}

/** More points than this in a series are a line without marks. */
const MOST_MARKS = 40;
const number = format(',.4~r');

const isThere = (point: Point): point is readonly [number, number] => point[1] !== null && Number.isFinite(point[1]);

const allPoints = ({ series }: LineChart): readonly (readonly [number, number])[] =>
  series.flatMap(({ points, reference = [] }) => [...points, ...reference].filter(isThere));

const xAxis = (chart: LineChart, { left, right }: Area): Axis => {
  const values = chart.series.flatMap(({ points, reference = [] }) => [...points, ...reference].map(([x]) => x));
  return createAxis({ fromZero: false, ...chart.x }, values, [left + 8, right - 8], 'horizontal');
};

const drawSeries = ({ surface, theme, y }: XyPlot, x: Axis, { points, reference = [], colour, faint = false }: LineSeries, s: number): void => {
  const series = colour ?? s;
  const curve = line<Point>()
    .digits(2)
    .defined(isThere)
    .x((point) => x.position(point[0]))
    .y((point) => y.position(point[1]!));
  surface.path(curve(points) ?? '', faint ? { stroke: colourOfAdapter(theme, series).tint, width: 1.4 } : { stroke: colourOfSeries(theme, series), width: 1.8 });
  const marked = faint || points.length > MOST_MARKS ? [] : points.filter(isThere);
  for (const [px, py] of marked) drawMarker(surface, theme, { x: x.position(px), y: y.position(py), series });
  for (const [px, py] of reference.filter(isThere)) {
    drawMarker(surface, theme, { x: x.position(px), y: y.position(py), series, hollow: true });
  }
};

/** Legend entry of a series without marks. */
const lineItem = (theme: Theme, label: string, series: number): LegendItem => ({
  label,
  drawSwatch: (surface, left, top) => {
    const y = top + SWATCH_HEIGHT / 2;
    surface.path(lineData(left, y, left + SWATCH_WIDTH, y), { stroke: colourOfAdapter(theme, series).tint, width: 2.4 });
  },
});

const seriesItem = (theme: Theme, { name, colour, faint = false }: LineSeries, s: number): LegendItem =>
  (faint ? lineItem : markerItem)(theme, name, colour ?? s);

const referenceItem = (theme: Theme, { series, referenceName = 'reference' }: LineChart): readonly LegendItem[] => {
  const first = series.findIndex(({ reference = [] }) => reference.length > 0);
  return first < 0 ? [] : [markerItem(theme, referenceName, first, true)];
};

const describe = (chart: LineChart): string => {
  const each = chart.series.map(({ name, points }) => {
    const [first, last] = [points.find(isThere), points.filter(isThere).at(-1)];
    return first === undefined || last === undefined
      ? `${name}: no values`
      : `${name}: from ${number(first[1])} at ${number(first[0])} to ${number(last[1])} at ${number(last[0])}`;
  });
  return `${chart.title}. ${nameOf(chart.y)} over ${nameOf(chart.x)}. ${each.join('; ')}.`;
};

/** Lines with points; references are hollow points of the same shape and colour. */
export const lineChart = (chart: LineChart): Chart => ({
  text: chart,
  description: describe(chart),
  legend: (theme) => [
    ...chart.series.map((series, s) => seriesItem(theme, series, s)),
    ...referenceItem(theme, chart),
  ],
  draw: (page) =>
    drawXyPlot(page, {
      y: chart.y,
      yValues: allPoints(chart).map(([, value]) => value),
      xName: nameOf(chart.x),
      xTicks: (area) => xAxis(chart, area).ticks,
      drawMarks: (plot) => {
        const x = xAxis(chart, plot.area);
        for (const [s, series] of chart.series.entries()) drawSeries(plot, x, series, s);
      },
    }),
});
