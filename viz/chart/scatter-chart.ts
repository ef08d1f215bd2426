import { format } from 'd3';
import { lineData } from '../surface/surface.ts';
import { createAxis, nameOf, type Axis, type Quantity } from './axis.ts';
import type { Chart, ChartText } from './chart.ts';
import { drawMarker, markerItem } from './marker.ts';
import { drawXyPlot, type Area, type XyPlot } from './xy-plot.ts';

/** A value that was predicted and measured. */
export interface Prediction {
  readonly measured: number;
  readonly predicted: number;
}

export interface PredictionSeries {
  readonly name: string;
  readonly points: readonly Prediction[];
}

export interface ScatterChart extends ChartText {
  /** What was predicted; both axes have it. */
  readonly quantity: Quantity;
  readonly series: readonly PredictionSeries[];
  /** Relative error that is marked as a band around the line of equality, e.g. 0.05; null: no band. */
  readonly tolerance: number | null;
}

const percent = format('+.1%');

const valuesOf = ({ series }: ScatterChart): readonly number[] =>
  series.flatMap(({ points }) => points.flatMap(({ measured, predicted }) => [measured, predicted]));

const xAxis = (chart: ScatterChart, { left, right }: Area): Axis =>
  createAxis(chart.quantity, valuesOf(chart), [left, right], 'horizontal');

/** Where predicted is `ratio` times measured, inside the plot area; straight on linear and on logarithmic axes. */
const ratioLine = (x: Axis, y: Axis, { left, right, top, bottom }: Area, span: readonly [number, number], ratio: number): string => {
  const [x1, y1] = [x.position(span[0]), y.position(span[0] * ratio)];
  const [x2, y2] = [x.position(span[1]), y.position(span[1] * ratio)];
  const slope = (y2 - y1) / (x2 - x1);
  const clip = (px: number): readonly [number, number] => {
    const py = Math.min(bottom, Math.max(top, y1 + (px - x1) * slope));
    return [x1 + (py - y1) / slope, py];
  };
  const [ax, ay] = clip(left);
  const [bx, by] = clip(right);
  return lineData(...([ax, ay, bx, by].map((value) => Math.round(value * 100) / 100) as [number, number, number, number]));
};

const drawEquality = (chart: ScatterChart, { surface, theme, area, y }: XyPlot, x: Axis): void => {
  const values = valuesOf(chart).filter((value) => value > 0);
  const high = Math.max(1, ...values);
  const span = [Math.min(high / 2, ...values), high] as const;
  surface.path(ratioLine(x, y, area, span, 1), { stroke: theme.ink, width: 1 });
  if (chart.tolerance === null) return;
  const band = [1 - chart.tolerance, 1 + chart.tolerance].map((ratio) => ratioLine(x, y, area, span, ratio));
  surface.path(band.join(''), { stroke: theme.muted, width: 1, dash: '4 3' });
};

const worst = (points: readonly Prediction[]): string => {
  const errors = points.filter(({ measured }) => measured !== 0).map(({ measured, predicted }) => predicted / measured - 1);
  if (errors.length === 0) return 'no values';
  return `errors from ${percent(Math.min(...errors))} to ${percent(Math.max(...errors))}`;
};

/** Predicted against measured values on equal axes: what lies on the line was predicted right. */
export const scatterChart = (chart: ScatterChart): Chart => ({
  text: chart,
  description: `${chart.title}. ${chart.series.map(({ name, points }) => `${name}: ${points.length} points, ${worst(points)}`).join('; ')}.`,
  legend: (theme) => chart.series.map(({ name }, s) => markerItem(theme, name, s)),
  draw: (page) =>
    drawXyPlot(page, {
      y: { ...chart.quantity, label: `predicted ${chart.quantity.label}` },
      yValues: valuesOf(chart),
      xName: `measured ${nameOf(chart.quantity)}${chart.tolerance === null ? '' : `; dashed: ±${format('.0%')(chart.tolerance)}`}`,
      xTicks: (area) => xAxis(chart, area).ticks,
      aspect: 0.75,
      drawMarks: (plot) => {
        const x = xAxis(chart, plot.area);
        drawEquality(chart, plot, x);
        for (const [s, { points }] of chart.series.entries()) {
          for (const { measured, predicted } of points) {
            drawMarker(plot.surface, plot.theme, { x: x.position(measured), y: plot.y.position(predicted), series: s });
          }
        }
      },
    }),
});
