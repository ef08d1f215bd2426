import type { LossPoint, LossSeries } from '../report.ts';
import { drawChart, type Chart } from '../chart/chart.ts';
import { lineChart, type Point } from '../chart/line-chart.ts';
import { escapeText } from '../surface/escape.ts';
import { createSvgSurface } from '../surface/svg-surface.ts';
import type { Theme } from '../theme.ts';

const WIDTH = 300;

const pointsOf = (points: readonly LossPoint[]): readonly Point[] => points.map(({ iteration, loss }) => [iteration, loss]);

/** The losses of an adapter in the style of all charts: training pale, rows that never enter training strong. */
export const lossChart = ({ name, training, heldout }: LossSeries, adapter: number): Chart =>
  lineChart({
    title: name,
    subtitle: '',
    x: { label: 'iteration', unit: null },
    y: { label: 'loss', unit: 'nats/token', fromZero: false },
    series: [
      { name: 'training rows', points: pointsOf(training), colour: adapter, faint: true },
      ...(heldout.length === 0 ? [] : [{ name: 'held-out rows', points: pointsOf(heldout), colour: adapter }]),
    ],
  });

const lastLoss = (points: readonly LossPoint[]): string => points.filter(({ loss }) => Number.isFinite(loss)).at(-1)?.loss.toFixed(3) ?? 'none';

/** What a curve says in words, for readers who do not see it. */
const describe = ({ name, training, heldout }: LossSeries): string =>
  `${name}: training loss ends at ${lastLoss(training)}, held-out loss at ${lastLoss(heldout)} nats per token`;

/** The loss curves of an adapter as an SVG element inside a page. */
export const lossSvg = (series: LossSeries, adapter: number, theme: Theme): string => {
  const surface = createSvgSurface();
  const isEmpty = [...series.training, ...series.heldout].every(({ loss }) => !Number.isFinite(loss));
  const chart = lossChart(series, adapter);
  const height = drawChart(isEmpty ? { ...chart, legend: () => [], draw: drawNothing } : chart, { surface, theme, width: WIDTH });
  return `<svg viewBox="0 0 ${WIDTH} ${Math.ceil(height)}" role="img" aria-label="${escapeText(describe(series))}">${surface.markup()}</svg>`;
};

const drawNothing: Chart['draw'] = ({ surface, theme }) => {
  surface.text(0, 14, 'no losses were recorded', { size: 11, fill: theme.muted });
  return 20;
};
