/** A picture per axis: throughput and memory over its values, a line (or bar) for every choice of the other axes. */
import { GIBI } from '../../core/units.ts';
import { chartsSvg, type Chart } from '../../viz/chart/chart.ts';
import { groupedBars } from '../../viz/chart/grouped-bars.ts';
import { lineChart } from '../../viz/chart/line-chart.ts';
import type { Quantity } from '../../viz/chart/axis.ts';
import { valueText, type Axis, type PointResult, type Sweep, type SweepRow } from './sweep.ts';

/** More lines than this are no picture: then each stands for the fastest of several points. */
const MOST_SERIES = 6;

const WIDTH = 640;

/** The rows that one line goes through, by index of the axis's value; null where none could run. */
interface Series {
  readonly name: string;
  readonly rows: readonly (SweepRow | null)[];
}

interface Figure {
  readonly quantity: Quantity;
  readonly read: (result: PointResult) => number | null;
}

const FIGURES: readonly Figure[] = [
  { quantity: { label: 'throughput', unit: 'tokens/s' }, read: ({ tokensPerSecond }) => tokensPerSecond },
  {
    quantity: { label: 'peak memory', unit: 'GiB' },
    read: ({ peakMemoryBytes }) => (peakMemoryBytes === null ? null : peakMemoryBytes / GIBI),
  },
];

/** SVG files by name, one for each axis that has several values. */
export const sweepCharts = (sweep: Sweep, rows: readonly SweepRow[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    sweep.axes.flatMap(({ path, values }, axis) =>
      values.length < 2 ? [] : [[`by-${path.replace(/[^\w-]+/g, '-').replace(/-$/, '')}.svg`, axisSvg(sweep, rows, axis)]],
    ),
  );

const axisSvg = (sweep: Sweep, rows: readonly SweepRow[], axis: number): string => {
  const kept = keptAxes(sweep.axes, axis);
  const series = seriesOf(sweep.axes, rows, axis, kept);
  const charts = FIGURES.map((figure) => chartOf(sweep, axis, series, figure, subtitleOf(sweep.axes, axis, kept)));
  return chartsSvg(charts, { width: WIDTH });
};

/** Other axes whose choices get lines of their own: as many as make no more lines than a picture bears, small ones first. */
const keptAxes = (axes: readonly Axis[], axis: number): readonly number[] => {
  const others = [...axes.keys()].filter((other) => other !== axis && axes[other]!.values.length > 1);
  const kept: number[] = [];
  let count = 1;
  for (const other of others.sort((a, b) => axes[a]!.values.length - axes[b]!.values.length)) {
    count *= axes[other]!.values.length;
    if (count <= MOST_SERIES) kept.push(other);
  }
  return kept.sort((a, b) => a - b);
};

const subtitleOf = (axes: readonly Axis[], axis: number, kept: readonly number[]): string => {
  const rest = axes.filter(({ values }, other) => other !== axis && values.length > 1 && !kept.includes(other));
  return rest.length === 0 ? 'simulated' : `simulated; the fastest over ${rest.map(({ path }) => path).join(', ')}`;
};

const seriesOf = (axes: readonly Axis[], rows: readonly SweepRow[], axis: number, kept: readonly number[]): Series[] => {
  const byName = new Map<string, (SweepRow | null)[]>();
  for (const row of rows) {
    const name = kept.map((other) => nameValue(axes[other]!, axes[other]!.values[row.point.choice[other]!])).join(', ') || 'all';
    const line = byName.get(name) ?? axes[axis]!.values.map(() => null);
    const index = row.point.choice[axis]!;
    line[index] = faster(line[index] ?? null, row);
    byName.set(name, line);
  }
  return [...byName].map(([name, line]) => ({ name, rows: line }));
};

/** Words speak for themselves; numbers need the last part of their path. */
const nameValue = ({ path }: Axis, value: unknown): string =>
  typeof value === 'string' ? value : `${path.split('.').at(-1)!} ${valueText(value)}`;

const faster = (a: SweepRow | null, b: SweepRow): SweepRow =>
  a !== null && (a.result?.tokensPerSecond ?? -1) >= (b.result?.tokensPerSecond ?? -1) ? a : b;

const isNumber = (value: unknown): value is number => typeof value === 'number';

const chartOf = ({ name, axes }: Sweep, axis: number, series: readonly Series[], figure: Figure, subtitle: string): Chart => {
  const { path, values } = axes[axis]!;
  const text = { title: `${name}: ${figure.quantity.label} by ${path}`, subtitle };
  const read = (row: SweepRow | null): number | null => {
    const result = resultIn(row);
    return result === null ? null : figure.read(result);
  };
  if (!values.every(isNumber)) {
    return groupedBars({
      ...text,
      groups: values.map(valueText),
      groupName: path,
      y: figure.quantity,
      series: series.map(({ name: label, rows }) => ({ name: label, values: rows.map(read), missing: rows.map(missingText) })),
    });
  }
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  return lineChart({
    ...text,
    x: { label: path, unit: null, scale: isDoubling(values) ? 'log2' : 'linear' },
    y: figure.quantity,
    series: series.map(({ name: label, rows }) => ({ name: label, points: order.map((index) => [values[index]!, read(rows[index]!)] as const) })),
  });
};

const MISSING: Readonly<Record<PointResult['outcome'], string | null>> = { ok: null, doesNotFit: 'OOM', outOfMemory: 'OOM', deadlock: 'stuck' };

const missingText = (row: SweepRow | null): string | null => {
  const result = resultIn(row);
  return result === null ? null : MISSING[result.outcome];
};

const resultIn = (row: SweepRow | null): PointResult | null => row?.result ?? null;

/** Powers of two, at least three of them. */
const isDoubling = (values: readonly number[]): boolean =>
  values.length > 2 && values.every((value) => value > 0 && Number.isInteger(Math.log2(value)));
