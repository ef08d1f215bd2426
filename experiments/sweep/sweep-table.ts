import { stringify } from 'csv-stringify/sync';
import { formatTable } from '../../core/text-table.ts';
import { formatBytes, formatDuration, NS_PER_S } from '../../core/units.ts';
import { valueText, type PointResult, type SweepRow, type Sweep } from './sweep.ts';

const FIGURES = ['makespanSeconds', 'tokensPerSecond', 'bubbleRatio', 'peakMemoryBytes'] as const satisfies readonly (keyof PointResult)[];

/** One record per point in the order of the grid; points that have not run yet have no outcome. */
export const sweepCsv = ({ axes }: Sweep, rows: readonly SweepRow[]): string =>
  stringify(
    rows.map(({ point, result }) => [
      ...axes.map(({ values }, axis) => valueText(values[point.choice[axis]!])),
      result?.outcome ?? '',
      ...FIGURES.map((figure) => result?.[figure] ?? ''),
      result?.detail ?? '',
      point.id,
    ]),
    { header: true, columns: [...axes.map(({ path }) => path), 'outcome', ...FIGURES, 'detail', 'point'] },
  );

const MOST_SHOWN = 20;

const byThroughput = (a: SweepRow, b: SweepRow): number => (b.result?.tokensPerSecond ?? -1) - (a.result?.tokensPerSecond ?? -1);

const cellsOf = ({ axes }: Sweep, { point, result }: SweepRow): string[] => [
  ...axes.map(({ values }, axis) => valueText(values[point.choice[axis]!])),
  ...(result?.outcome !== 'ok'
    ? [result === null ? 'not run' : result.detail.split('\n')[0]!, '', '', '']
    : [
        result.tokensPerSecond!.toFixed(0),
        formatDuration(result.makespanSeconds! * NS_PER_S),
        result.bubbleRatio!.toFixed(4),
        formatBytes(result.peakMemoryBytes!),
      ]),
];

/** The fastest points, and how many others there are. */
export const formatSweep = (sweep: Sweep, rows: readonly SweepRow[]): string => {
  const sorted = [...rows].sort(byThroughput);
  const header = [...sweep.axes.map(({ path }) => path), 'tokens/s', 'makespan', 'bubble ratio', 'peak memory'];
  const hidden = rows.length - MOST_SHOWN;
  return [
    formatTable([header, ...sorted.slice(0, MOST_SHOWN).map((row) => cellsOf(sweep, row))]),
    ...(hidden > 0 ? [`and ${hidden} more points, slower or not able to run`] : []),
  ].join('\n');
};
