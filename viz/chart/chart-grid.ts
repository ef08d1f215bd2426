import { createSvgSurface } from '../surface/svg-surface.ts';
import { PADDING, svgDocument } from '../surface/svg-document.ts';
import { THEMES, type ThemeName } from '../theme.ts';
import { drawChart, type Chart } from './chart.ts';

export interface ChartGridOptions {
  /** Charts beside each other. */
  readonly columns: number;
  /** Pixels of one chart; 300 unless told. */
  readonly chartWidth?: number;
  readonly theme?: ThemeName;
}

const DEFAULT_WIDTH = 300;
const GAP = 2 * PADDING;

/** Charts in rows, as the panels of a paper's figure, as one standalone SVG document. */
export const chartGridSvg = (charts: readonly Chart[], { columns, chartWidth = DEFAULT_WIDTH, theme = 'light' }: ChartGridOptions): string => {
  const parts: string[] = [];
  let y = PADDING;
  for (let first = 0; first < charts.length; first += columns) {
    const heights = charts.slice(first, first + columns).map((chart, column) => {
      const surface = createSvgSurface();
      const height = drawChart(chart, { surface, theme: THEMES[theme], width: chartWidth });
      parts.push(`<g transform="translate(${column * (chartWidth + GAP)},${y})">`, surface.markup(), '</g>');
      return height;
    });
    y += Math.ceil(Math.max(...heights)) + GAP;
  }
  const width = Math.min(columns, charts.length) * (chartWidth + GAP) - GAP;
  const title = charts.map(({ text }) => text.title).join('; ');
  const description = charts.map((chart) => chart.description).join(' ');
  return svgDocument({ width, height: y - GAP - PADDING, paper: THEMES[theme].paper, title, description }, parts.join('\n'));
};
