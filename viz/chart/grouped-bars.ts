import { format, scaleBand } from 'd3';
import { centredBaseline, lineData, type Surface } from '../surface/surface.ts';
import { HATCH_WIDTH, hatchData } from '../surface/hatch.ts';
import { textWidth } from '../surface/text-width.ts';
import type { Theme } from '../theme.ts';
import { SWATCH_HEIGHT, SWATCH_WIDTH, type LegendItem } from '../timeline/legend.ts';
import { nameOf, type Quantity } from './axis.ts';
import type { Chart, ChartText } from './chart.ts';
import { colourOfSeries } from './marker.ts';
import { drawXyPlot, type Area, type XyPlot } from './xy-plot.ts';

/** Bars of one colour: a value for every group, null where there is none. */
export interface BarSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** What stands where a value is missing, e.g. `OOM`; `–` unless told. */
  readonly missing?: readonly (string | null)[];
  /** Values from elsewhere that the bars are compared with, drawn across them; null where there is none. */
  readonly reference?: readonly (number | null)[];
}

export interface GroupedBars extends ChartText {
  /** Names of the groups along the axis below. */
  readonly groups: readonly string[];
  /** What the groups are, e.g. `model`. */
  readonly groupName: string;
  readonly y: Quantity;
  readonly series: readonly BarSeries[];
  /** What the references are, e.g. `paper, Figure 13`; needed where a series has them. */
  readonly referenceName?: string;
}

const VALUE_SIZE = 9;
const REFERENCE_OVERHANG = 2;
/** Pixels that a value may be wider than its bar: letters are narrower than they are estimated. */
const VALUE_OVERHANG = 5;
const number = format(',.4~r');
const short = format('.3~s');

const referencesOf = ({ series }: GroupedBars): readonly number[] =>
  series.flatMap(({ reference = [] }) => reference.filter((value) => value !== null));

const valuesOf = ({ series }: GroupedBars): readonly number[] =>
  series.flatMap(({ values }) => values.filter((value) => value !== null));

/** Hatches over a bar: the second turn through the colours is told apart by them, and in print without colour, too. */
const HATCHED_FROM = 4;

const round = (value: number): number => Math.round(value * 100) / 100;

const drawBar = (surface: Surface, theme: Theme, s: number, box: readonly [number, number, number, number]): void => {
  surface.boxes(colourOfSeries(theme, s), box);
  if (s >= HATCHED_FROM && box[2] > 2) surface.path(hatchData(box), { stroke: theme.paper, width: HATCH_WIDTH });
};

const drawReference = ({ surface, theme }: XyPlot, x: number, y: number, width: number): void => {
  const from = round(x - REFERENCE_OVERHANG);
  const to = round(x + width + REFERENCE_OVERHANG);
  const data = lineData(from, round(y), to, round(y));
  surface.path(data, { stroke: theme.paper, width: 4 });
  surface.path(data, { stroke: theme.ink, width: 2 });
};

/** The value above its bar, in full or shortened, where it fits. */
const drawValue = ({ surface, theme }: XyPlot, texts: readonly string[], x: number, y: number, width: number): void => {
  const fitting = texts.find((text) => textWidth(text, VALUE_SIZE) <= width + VALUE_OVERHANG);
  if (fitting === undefined) return;
  surface.text(x + width / 2, y - 3, fitting, { size: VALUE_SIZE, fill: theme.muted, anchor: 'middle', halo: theme.paper });
};

const drawGroups = (chart: GroupedBars, plot: XyPlot): void => {
  const { surface, theme, area, y } = plot;
  const groups = groupScale(chart, area);
  const bars = scaleBand(chart.series.map((_, s) => s), [0, groups.bandwidth()]).paddingInner(0.08);
  const width = bars.bandwidth();
  for (const [g] of chart.groups.entries()) {
    for (const [s, { values, missing, reference }] of chart.series.entries()) {
      const x = groups(g)! + bars(s)!;
      const value = values[g] ?? null;
      const top = value === null ? area.bottom : y.position(value);
      if (value !== null) drawBar(surface, theme, s, [x, top, width, area.bottom - top]);
      const expected = reference?.[g] ?? null;
      if (expected !== null) drawReference(plot, x, y.position(expected), width);
      const highest = expected === null ? top : Math.min(top, y.position(expected));
      const texts = value === null ? [missing?.[g] ?? '–', '–'] : [number(value), short(value)];
      drawValue(plot, texts, x, highest, width);
    }
  }
};

const groupScale = ({ groups }: GroupedBars, { left, right }: Area) =>
  scaleBand(groups.map((_, g) => g), [left, right]).paddingInner(0.22).paddingOuter(0.12);

const barItem = (theme: Theme, name: string, s: number): LegendItem => ({
  label: name,
  drawSwatch: (surface, x, y) => drawBar(surface, theme, s, [x, y, SWATCH_WIDTH, SWATCH_HEIGHT]),
});

const referenceItem = (theme: Theme, label: string): LegendItem => ({
  label,
  drawSwatch: (surface, x, y) => {
    const middle = centredBaseline(y, 0) + SWATCH_HEIGHT / 2;
    surface.path(lineData(x, middle, x + SWATCH_WIDTH, middle), { stroke: theme.ink, width: 2 });
  },
});

const describe = ({ title, groups, series, y }: GroupedBars): string => {
  const values = series.map(({ name, values: own }) => {
    const each = groups.map((group, g) => `${group} ${own[g] === null || own[g] === undefined ? 'none' : number(own[g])}`);
    return `${name}: ${each.join(', ')}`;
  });
  return `${title}. ${nameOf(y)}: ${values.join('; ')}.`;
};

/** Bars side by side in groups, each with its value; references are lines across the bars. */
export const groupedBars = (chart: GroupedBars): Chart => ({
  text: chart,
  description: describe(chart),
  legend: (theme) => [
    ...(chart.series.length > 1 ? chart.series.map(({ name }, s) => barItem(theme, name, s)) : []),
    ...(referencesOf(chart).length > 0 ? [referenceItem(theme, chart.referenceName ?? 'reference')] : []),
  ],
  draw: (page) =>
    drawXyPlot(page, {
      y: chart.y,
      yValues: [...valuesOf(chart), ...referencesOf(chart)],
      xName: chart.groupName,
      xTicks: (area) => {
        const scale = groupScale(chart, area);
        return chart.groups.map((label, g) => ({ at: scale(g)! + scale.bandwidth() / 2, label }));
      },
      drawMarks: (plot) => drawGroups(chart, plot),
    }),
});
