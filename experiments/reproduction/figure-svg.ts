/** A figure in the paper's layout: our curves and bars, the paper's values as hollow points or lines across the bars. */
import type { Chart } from '../../viz/chart/chart.ts';
import { chartGridSvg } from '../../viz/chart/chart-grid.ts';
import { groupedBars } from '../../viz/chart/grouped-bars.ts';
import { heatMap } from '../../viz/chart/heat-map.ts';
import { lineChart } from '../../viz/chart/line-chart.ts';
import type { EvaluatedFigure, EvaluatedPanel, EvaluatedPoint, EvaluatedSeries } from './evaluate.ts';

const oursOf = ({ ours }: EvaluatedPoint): number | null => (ours.kind === 'value' ? ours.value : null);
const paperOf = ({ paper }: EvaluatedPoint): number | null => (typeof paper === 'number' ? paper : null);

const referenceName = (number: number): string => `paper, Fig. ${number}`;

/** Series that have no value to draw, in words. */
const gaps = (series: readonly EvaluatedSeries[]): string =>
  series
    .filter(({ points }) => points.every((point) => oursOf(point) === null))
    .map(({ series: { name } }) => `${name}: out of memory`)
    .join('; ');

const subtitleOf = ({ panel, series }: EvaluatedPanel): string => [panel.setting, gaps(series)].filter((text) => text !== '').join('. ');

const lines = (evaluated: EvaluatedPanel, number: number): Chart =>
  lineChart({
    title: evaluated.panel.title,
    subtitle: subtitleOf(evaluated),
    x: evaluated.panel.x,
    y: evaluated.panel.y,
    series: evaluated.series.map(({ series, points }) => ({
      name: series.name,
      points: points.map((point) => [Number(point.x), oursOf(point)] as const),
      ...(series.paper === null ? {} : { reference: points.map((point) => [Number(point.x), paperOf(point)] as const) }),
    })),
    referenceName: referenceName(number),
  });

const bars = (evaluated: EvaluatedPanel, number: number): Chart =>
  groupedBars({
    title: evaluated.panel.title,
    subtitle: evaluated.panel.setting,
    groups: evaluated.series[0]!.points.map(({ x }) => String(x)),
    groupName: evaluated.panel.x.label,
    y: evaluated.panel.y,
    series: evaluated.series.map(({ series, points }) => ({
      name: series.name,
      values: points.map(oursOf),
      missing: points.map(({ ours }) => (ours.kind === 'outOfMemory' ? 'OOM' : null)),
      reference: points.map(paperOf),
    })),
    referenceName: referenceName(number),
  });

const cells = ({ panel, series }: EvaluatedPanel): Chart =>
  heatMap({
    title: panel.title,
    subtitle: panel.setting,
    quantity: panel.y,
    columns: series[0]!.points.map(({ x }) => String(x)),
    columnName: panel.x.label,
    rows: series.map(({ series: { name } }) => name),
    rowName: '',
    values: series.map(({ points }) => points.map(oursOf)),
    format: '.2f',
  });

const chartOf = (evaluated: EvaluatedPanel, number: number): Chart => {
  switch (evaluated.panel.layout) {
    case 'lines':
      return lines(evaluated, number);
    case 'bars':
      return bars(evaluated, number);
    case 'heatMap':
      return cells(evaluated);
  }
};

export const figureSvg = ({ figure, panels }: EvaluatedFigure): string =>
  chartGridSvg(
    panels.map((panel) => chartOf(panel, figure.number)),
    { columns: figure.columns },
  );
