import { CAUSE_LABELS, IDLE_CAUSES } from '../../core/explain/cause.ts';
import { splitIdle } from '../../core/explain/idle.ts';
import { formatTable } from '../../core/text-table.ts';
import { busyNs, makespanNs } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatDuration } from '../../core/units.ts';
import { openDemo, planPart, trainPart } from './demo-run.ts';

/** How much of two ranks' time the shipped demo computes in, and where the rest of it goes. */

const TARGET = 0.85;

const RUNS = 3;

interface Efficiency {
  readonly makespanNs: number;
  /** Busy time ÷ (ranks × makespan). */
  readonly busyShare: number;
  /** Shares of ranks × makespan by name; with the busy one they add up to 1. */
  readonly lost: readonly (readonly [string, number])[];
}

const efficiencyOf = (trace: Trace): Efficiency => {
  const wholeNs = trace.devices.length * makespanNs(trace);
  const { total, windowNs } = splitIdle(trace);
  return {
    makespanNs: makespanNs(trace),
    busyShare: busyNs(trace).reduce((sum, ns) => sum + ns, 0) / wholeNs,
    lost: [
      ...IDLE_CAUSES.map((cause) => [CAUSE_LABELS[cause], total.byCause[cause] / wholeNs] as const),
      ['before the first and after the last compute op', 1 - (windowNs * trace.devices.length) / wholeNs],
    ],
  };
};

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

export const benchEfficiency = async (): Promise<void> => {
  const demo = await openDemo();
  const part = planPart(demo, demo.experiment.jobs.map(({ name }) => name), 2);
  const runs: Efficiency[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(efficiencyOf((await trainPart(part)).trace));
  const line = (label: string, read: (run: Efficiency) => string): string[] => [label, ...runs.map(read)];
  console.log(
    formatTable([
      ['the demo on two ranks', ...runs.map((_, run) => `run ${run + 1}`)],
      line('makespan', (run) => formatDuration(run.makespanNs)),
      line(`busy ÷ (2 × makespan), target ${TARGET}`, ({ busyShare }) => busyShare.toFixed(4)),
      ...runs[0]!.lost
        .map(([label], index) => ({ label, index }))
        .filter(({ index }) => runs.some(({ lost }) => lost[index]![1] > 0))
        .map(({ label, index }) => line(`lost: ${label}`, ({ lost }) => percent(lost[index]![1]))),
    ]),
  );
};
