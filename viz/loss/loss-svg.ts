import { extent, line, scaleLinear, type ScaleLinear } from 'd3';
import type { LossPoint, LossSeries } from '../report.ts';
import { escapeText } from '../surface/escape.ts';
import { centredBaseline, lineData, type Surface } from '../surface/surface.ts';
import { createSvgSurface } from '../surface/svg-surface.ts';
import { fitText } from '../surface/text-width.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';

const WIDTH = 300;
const HEIGHT = 190;
const MARGIN = { top: 26, right: 14, bottom: 34, left: 44 } as const;
const TICK_SIZE = 10;
const DOT = 4.5;
/** More held-out points than this are a line without dots. */
const MOST_DOTS = 60;

interface LossPlot {
  readonly surface: Surface;
  readonly theme: Theme;
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;
}

const finite = (points: readonly LossPoint[]): readonly LossPoint[] =>
  points.filter(({ loss }) => Number.isFinite(loss));

/** The extent of values widened where it has no length, so that a single point stands in the middle. */
const wide = (values: readonly number[]): readonly [number, number] => {
  const [low = 0, high = 1] = extent(values);
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
};

const scales = (points: readonly LossPoint[]): Pick<LossPlot, 'x' | 'y'> => ({
  x: scaleLinear(wide(points.map(({ iteration }) => iteration)), [MARGIN.left, WIDTH - MARGIN.right]),
  y: scaleLinear(wide(points.map(({ loss }) => loss)), [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(4),
});

const drawAxes = ({ surface, theme, x, y }: LossPlot): void => {
  const bottom = HEIGHT - MARGIN.bottom;
  const label = { size: TICK_SIZE, fill: theme.muted };
  for (const tick of y.ticks(4)) {
    surface.path(lineData(MARGIN.left, y(tick), WIDTH - MARGIN.right, y(tick)), { stroke: theme.grid });
    surface.text(MARGIN.left - 6, centredBaseline(y(tick), TICK_SIZE), y.tickFormat(4)(tick), {
      ...label,
      anchor: 'end',
    });
  }
  surface.path(lineData(MARGIN.left, bottom, WIDTH - MARGIN.right, bottom), { stroke: theme.muted });
  for (const tick of x.ticks(5).filter(Number.isInteger)) {
    surface.path(lineData(x(tick), bottom, x(tick), bottom + 4), { stroke: theme.muted });
    surface.text(x(tick), bottom + 15, String(tick), { ...label, anchor: 'middle' });
  }
  surface.text(WIDTH - MARGIN.right, HEIGHT - 5, 'iteration', { ...label, anchor: 'end' });
  surface.text(0, HEIGHT - 5, 'loss (nats/token)', label);
};

const drawCurve = ({ surface, x, y }: LossPlot, points: readonly LossPoint[], stroke: string, width: number): void => {
  const curve = line<LossPoint>()
    .digits(2)
    .defined(({ loss }) => Number.isFinite(loss))
    .x(({ iteration }) => x(iteration))
    .y(({ loss }) => y(loss));
  surface.path(curve(points) ?? '', { stroke, width });
};

const drawDots = ({ surface, x, y }: LossPlot, points: readonly LossPoint[], fill: string): void => {
  if (points.length > MOST_DOTS) return;
  surface.boxes(
    fill,
    finite(points).flatMap(({ iteration, loss }) => [x(iteration) - DOT / 2, y(loss) - DOT / 2, DOT, DOT]),
  );
};

const lastLoss = (points: readonly LossPoint[]): string => finite(points).at(-1)?.loss.toFixed(3) ?? 'none';

/** What a curve says in words, for readers who do not see it. */
const describe = ({ name, training, heldout }: LossSeries): string =>
  `${name}: training loss ends at ${lastLoss(training)}, held-out loss at ${lastLoss(heldout)} nats per token`;

/** The loss curves of an adapter as an SVG element: training as a thin line, held-out rows as a strong one with dots. */
export const lossSvg = (series: LossSeries, adapter: number, theme: Theme): string => {
  const surface = createSvgSurface();
  const points = finite([...series.training, ...series.heldout]);
  const plot: LossPlot = { surface, theme, ...scales(points) };
  const { tint, main } = colourOfAdapter(theme, adapter);
  surface.text(0, 13, fitText(series.name, 13, WIDTH, true), { size: 13, fill: theme.ink, bold: true });
  if (points.length === 0) surface.text(0, 40, 'no losses were recorded', { size: 11, fill: theme.muted });
  else {
    drawAxes(plot);
    drawCurve(plot, series.training, tint, 1.5);
    drawCurve(plot, series.heldout, main, 2);
    drawDots(plot, series.heldout, main);
  }
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(describe(series))}">${surface.markup()}</svg>`;
};
