import { stringify } from 'csv-stringify/sync';
import { compareTraces, type OpComparison, type OpTimes } from '../core/trace/compare-traces.ts';
import type { Trace } from '../core/trace/trace.ts';
import { formatTable } from '../core/text-table.ts';
import { formatBytes, formatDuration } from '../core/units.ts';
import type { MetricRow } from '../viz/report.ts';

const percent = (share: number): string => `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)} %`;

const nameOf = ({ kind, stage }: OpComparison): string => `${kind}, stage ${stage}`;

const totalError = ({ predicted, measured }: OpComparison): string =>
  measured.totalNs === 0 ? '–' : percent(predicted.totalNs / measured.totalNs - 1);

/** Predicted against measured times of every op kind and stage, makespan and memory, for the terminal. */
export const formatPrediction = (simulated: Trace, measured: Trace): string => {
  const { ops, makespanError, devices } = compareTraces(simulated, measured);
  return [
    formatTable([
      ['predicted and measured', 'ops', 'median', 'measured', 'total', 'measured', 'error'],
      ...ops.map((op) => [
        nameOf(op),
        String(op.measured.count),
        ...[op.predicted.medianNs, op.measured.medianNs, op.predicted.totalNs, op.measured.totalNs].map(formatDuration),
        totalError(op),
      ]),
    ]),
    `makespan ${percent(makespanError)}; memory held ${devices.map(({ name, memoryError }) => `${name} ${percent(memoryError)}`).join(', ')}`,
  ].join('\n');
};

/** The same for the report's table. */
export const predictionRows = (simulated: Trace, measured: Trace): MetricRow[] => {
  const { ops, devices } = compareTraces(simulated, measured);
  return [
    ...ops.map((op): MetricRow => ({
      label: `${nameOf(op)}: median and total of ${op.measured.count}`,
      simulated: timesText(op.predicted),
      measured: `${timesText(op.measured)} (${totalError(op)})`,
    })),
    ...devices.map(({ name, predictedPeakBytes, measuredPeakBytes, memoryError }): MetricRow => ({
      label: `most held between ops on ${name}`,
      simulated: formatBytes(predictedPeakBytes),
      measured: `${formatBytes(measuredPeakBytes)} (${percent(memoryError)})`,
    })),
  ];
};

const timesText = ({ medianNs, totalNs }: OpTimes): string => `${formatDuration(medianNs)}, ${formatDuration(totalNs)}`;

/** The same in nanoseconds, a line per op kind and stage. */
export const predictionCsv = (simulated: Trace, measured: Trace): string =>
  stringify(
    compareTraces(simulated, measured).ops.map((op) => ({
      kind: op.kind,
      stage: op.stage,
      predictedCount: op.predicted.count,
      measuredCount: op.measured.count,
      predictedMedianNs: op.predicted.medianNs,
      measuredMedianNs: op.measured.medianNs,
      predictedTotalNs: op.predicted.totalNs,
      measuredTotalNs: op.measured.totalNs,
    })),
    { header: true },
  );
