import type { Surface } from '../surface/surface.ts';
import { colourOfAdapter, type Theme } from '../theme.ts';
import { SWATCH_HEIGHT, SWATCH_WIDTH, type LegendItem } from '../timeline/legend.ts';

/** Shapes of points in order of their series: a series is known by its shape as well as by its colour. */
const SHAPES: readonly ((x: number, y: number, r: number) => string)[] = [
  (x, y, r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0z`,
  (x, y, r) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x},${y - 1.2 * r}L${x + 1.2 * r},${y + r}H${x - 1.2 * r}z`,
  (x, y, r) => `M${x},${y - 1.35 * r}L${x + 1.35 * r},${y}L${x},${y + 1.35 * r}L${x - 1.35 * r},${y}z`,
  (x, y, r) => `M${x},${y + 1.2 * r}L${x + 1.2 * r},${y - r}H${x - 1.2 * r}z`,
];
const RADIUS = 3.4;
/** Numbers of a path, to a hundredth of a pixel. */
const rounded = (data: string): string => data.replace(/-?\d+\.\d{3,}/g, (text) => String(Math.round(Number(text) * 100) / 100));

export const colourOfSeries = (theme: Theme, series: number): string => colourOfAdapter(theme, series).main;

/** A point of a series; hollow ones are references that were not computed here. */
export const drawMarker = (
  surface: Surface,
  theme: Theme,
  { x, y, series, hollow = false }: { readonly x: number; readonly y: number; readonly series: number; readonly hollow?: boolean },
): void => {
  const colour = colourOfSeries(theme, series);
  const data = rounded(SHAPES[series % SHAPES.length]!(x, y, RADIUS));
  surface.path(data, hollow ? { fill: theme.paper, stroke: colour, width: 1.6 } : { fill: colour, stroke: theme.paper, width: 0.8 });
};

const middleOf = (x: number, y: number): readonly [number, number] => [x + SWATCH_WIDTH / 2, y + SWATCH_HEIGHT / 2];

/** Legend entry of a series that is drawn with points. */
export const markerItem = (theme: Theme, label: string, series: number, hollow = false): LegendItem => ({
  label,
  drawSwatch: (surface, left, top) => {
    const [x, y] = middleOf(left, top);
    drawMarker(surface, theme, { x, y, series, hollow });
  },
});
