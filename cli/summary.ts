import type { TraceSummary } from '../core/trace/summary.ts';
import { formatTable } from '../core/text-table.ts';
import { formatBytes, formatDuration, NS_PER_S } from '../core/units.ts';
import type { MetricRow } from '../viz/report.ts';

const seconds = (value: number): string => formatDuration(value * NS_PER_S);

const METRICS: readonly (readonly [string, (summary: TraceSummary) => string])[] = [
  ['makespan', ({ makespanSeconds }) => seconds(makespanSeconds)],
  ['tokens/s', ({ tokensPerSecond }) => tokensPerSecond.toFixed(0)],
  ['bubble ratio', ({ bubbleRatio }) => bubbleRatio.toFixed(4)],
];

/** The figures of a simulated and a measured run beside each other; null where there is no such run. */
export const metricRows = (simulated: TraceSummary | null, measured: TraceSummary | null): MetricRow[] => {
  const devices = (simulated ?? measured)?.devices ?? [];
  const row = (label: string, read: (summary: TraceSummary) => string): MetricRow => ({
    label,
    simulated: simulated === null ? null : read(simulated),
    measured: measured === null ? null : read(measured),
  });
  return [
    ...METRICS.map(([label, read]) => row(label, read)),
    ...devices.map(({ name }, device) =>
      row(`peak memory of ${name}`, (summary) => memoryText(summary.devices[device]!)),
    ),
  ];
};

const memoryText = ({ peakMemoryBytes, reservedMemoryBytes }: TraceSummary['devices'][number]): string =>
  formatBytes(peakMemoryBytes) + (reservedMemoryBytes === null ? '' : ` (${formatBytes(reservedMemoryBytes)} reserved)`);

/** The rows as text, without the columns that are empty. */
export const formatMetrics = (rows: readonly MetricRow[]): string => {
  const columns = (['simulated', 'measured'] as const).filter((column) => rows.some((row) => row[column] !== null));
  return formatTable([['', ...columns], ...rows.map((row) => [row.label, ...columns.map((column) => row[column] ?? '–')])]);
};

/** One line that goes under a timeline's title. */
export const subtitleOf = ({ makespanSeconds, tokensPerSecond, bubbleRatio }: TraceSummary): string =>
  `${seconds(makespanSeconds)}, ${tokensPerSecond.toFixed(0)} tokens/s, bubble ratio ${bubbleRatio.toFixed(3)}`;
