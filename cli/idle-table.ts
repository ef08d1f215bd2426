import { CAUSE_LABELS, IDLE_CAUSES, type CauseTimes, type IdleCause } from '../core/explain/cause.ts';
import { splitIdle, type IdleSplit } from '../core/explain/idle.ts';
import { formatTable } from '../core/text-table.ts';
import type { Trace } from '../core/trace/trace.ts';
import { formatDuration } from '../core/units.ts';
import type { MetricRow } from '../viz/report.ts';

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

const shareOf = (ns: number, wholeNs: number): number => (wholeNs > 0 ? ns / wholeNs : 0);

/** Causes that cost anything, as people read them. */
const causesIn = (...times: readonly CauseTimes[]): readonly IdleCause[] =>
  IDLE_CAUSES.filter((cause) => times.some((each) => each[cause] > 0));

/** Devices whose times fit on a line beside their shares. */
const DEVICES_WITH_TIMES = 4;

interface Column {
  readonly name: string;
  readonly byCause: CauseTimes;
  readonly idleNs: number;
  readonly wholeNs: number;
  readonly hasTimes: boolean;
}

const columnsOf = ({ windowNs, devices, total }: IdleSplit): readonly Column[] => [
  ...devices.map((device) => ({ ...device, wholeNs: windowNs, hasTimes: devices.length <= DEVICES_WITH_TIMES })),
  { name: 'all devices', ...total, wholeNs: windowNs * devices.length, hasTimes: true },
];

/** Idle time of each device and of all of them: shares of the device time between first and last compute op, and times. */
export const formatIdle = (split: IdleSplit): string => {
  const { total } = split;
  const columns = columnsOf(split);
  const line = (label: string, nsOf: (column: Column) => number, ofIdle: string): string[] => [
    label,
    ...columns.flatMap((column) => [
      percent(shareOf(nsOf(column), column.wholeNs)),
      ...(column.hasTimes ? [formatDuration(nsOf(column))] : []),
    ]),
    ofIdle,
  ];
  return formatTable([
    ['idle time by cause', ...columns.flatMap(({ name, hasTimes }) => (hasTimes ? [name, ''] : [name])), 'of idle'],
    ...causesIn(total.byCause).map((cause) =>
      line(CAUSE_LABELS[cause], ({ byCause }) => byCause[cause], percent(shareOf(total.byCause[cause], total.idleNs))),
    ),
    line('idle', ({ idleNs }) => idleNs, percent(total.idleNs > 0 ? 1 : 0)),
    line('busy', ({ idleNs, wholeNs }) => wholeNs - idleNs, ''),
  ]);
};

/** The split of a simulated and a measured run beside each other, in shares of their device time; null where there is none. */
export const idleRows = (simulated: Trace | null, measured: Trace | null): MetricRow[] => {
  const splits = [simulated, measured].map((trace) => (trace === null ? null : splitIdle(trace)));
  const [first, second] = splits as [IdleSplit | null, IdleSplit | null];
  const textOf = (split: IdleSplit | null, cause: IdleCause): string | null =>
    split === null ? null : percent(shareOf(split.total.byCause[cause], split.windowNs * split.devices.length));
  return causesIn(...splits.flatMap((split) => (split === null ? [] : [split.total.byCause]))).map((cause) => ({
    label: `idle: ${CAUSE_LABELS[cause]}`,
    simulated: textOf(first, cause),
    measured: textOf(second, cause),
  }));
};
