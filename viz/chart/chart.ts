/**
 * Charts of experiments in one house style. A chart is a value that can draw itself at any width; it has a title,
 * an axis with a unit for every quantity, and a legend that flows above the plot, so that it never lies on the data.
 */
import { drawHeader } from '../header.ts';
import type { Surface } from '../surface/surface.ts';
import { PADDING, svgDocument } from '../surface/svg-document.ts';
import { createSvgSurface } from '../surface/svg-surface.ts';
import { THEMES, type Theme, type ThemeName } from '../theme.ts';
import { drawLegend, type LegendItem } from '../timeline/legend.ts';

/** Where and how wide a chart is drawn, and in which colours. */
export interface ChartPage {
  readonly surface: Surface;
  readonly theme: Theme;
  /** Pixels. */
  readonly width: number;
}

export interface ChartText {
  readonly title: string;
  /** What was varied and held, and where the values come from; empty: no line. */
  readonly subtitle: string;
}

export interface Chart {
  readonly text: ChartText;
  /** The values in words, for readers who do not see the picture. */
  readonly description: string;
  readonly legend: (theme: Theme) => readonly LegendItem[];
  /** Draws the plot with its axes from y = 0 down; returns its height in pixels. */
  readonly draw: (page: ChartPage) => number;
}

export interface ChartSvgOptions {
  /** Pixels; 480 unless told: a column of a paper at readable letters. */
  readonly width?: number;
  readonly theme?: ThemeName;
}

const DEFAULT_WIDTH = 480;
const HEADER_GAP = 10;
const LEGEND_GAP = 6;

/** Draws title, legend and plot of a chart from y = 0 down; returns their height in pixels. */
export const drawChart = ({ text, legend, draw }: Chart, page: ChartPage): number => {
  const { surface, theme, width } = page;
  let y = drawHeader(surface, theme, text, width) + HEADER_GAP;
  const items = legend(theme);
  surface.lower(y, () => {
    if (items.length > 0) y += drawLegend(surface, items, theme, width) + LEGEND_GAP;
  });
  surface.lower(y, () => (y += draw(page)));
  return y;
};

/** Charts under each other as one standalone SVG document. */
export const chartsSvg = (
  charts: readonly Chart[],
  { width = DEFAULT_WIDTH, theme = 'light' }: ChartSvgOptions = {},
): string => {
  const surface = createSvgSurface();
  const page: ChartPage = { surface, theme: THEMES[theme], width: width - 2 * PADDING };
  let y = PADDING;
  for (const [i, chart] of charts.entries()) {
    if (i > 0) y += 2 * PADDING;
    surface.lower(y, () => (y += drawChart(chart, page)));
  }
  const title = charts.map(({ text }) => text.title).join('; ');
  const description = charts.map((chart) => chart.description).join(' ');
  return svgDocument({ width: page.width, height: y - PADDING, paper: page.theme.paper, title, description }, surface.markup());
};

/** A chart as a standalone SVG document. */
export const chartSvg = (chart: Chart, options: ChartSvgOptions = {}): string => chartsSvg([chart], options);
