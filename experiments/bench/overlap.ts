import { KIND } from '../../core/plan/op.ts';
import { bubbleRatio, busyNs } from '../../core/trace/metrics.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatDuration } from '../../core/units.ts';
import { median, type MeasuredRun } from '../../sim/measured-ops.ts';
import { measuredTransfers } from '../../sim/measured-transfers.ts';
import type { Cable } from '../two-machines/two-machines.ts';
import { exposedTransfers } from './exposed-transfers.ts';
import { GIGABIT, runOnTwoMachines } from './two-machine-run.ts';

/**
 * How much of the transfers between two ranks is exposed, against the time that the transfers take where their receiver
 * waits for them. Two figures: all idle time in which the awaited tensor is on its way, which also a stage has that is faster
 * than the other and would wait anyway; and the idle time that is there only because transfers take time.
 */

const ROUNDS = 3;

const CASES: readonly { readonly name: string; readonly cable: Cable | null }[] = [
  { name: '1 Gbit/s, 2 ms', cable: GIGABIT },
  { name: 'full speed', cable: null },
];

interface Exposure {
  readonly aloneNs: number;
  readonly passNs: number;
  /** Of the time that all transfers take by themselves. */
  readonly idleShare: number;
  readonly causedShare: number;
  /** Busy time of the first rank ÷ that of the second one. */
  readonly balance: number;
  readonly bubbles: number;
}

const exposureOf = (run: MeasuredRun): Exposure => {
  const { trace } = run;
  const { spans } = trace;
  const aloneNs = median(measuredTransfers(run).map(({ ns }) => ns));
  const { count, idleNs, causedNs } = exposedTransfers(trace, aloneNs);
  const passes = [...spans.kind.keys()].filter((row) => spans.kind[row] === KIND.forward || spans.kind[row] === KIND.backward);
  const [first, second] = busyNs(trace) as [number, number];
  return {
    aloneNs,
    passNs: median(passes.map((row) => spans.endNs[row]! - spans.startNs[row]!)),
    idleShare: idleNs / (count * aloneNs),
    causedShare: causedNs / (count * aloneNs),
    balance: first / second,
    bubbles: bubbleRatio(trace),
  };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const benchOverlap = async (): Promise<void> => {
  const rows: string[][] = [];
  for (const { name, cable } of CASES) {
    const { runs } = await runOnTwoMachines({ plannedFor: cable, cables: Array.from({ length: ROUNDS }, () => cable), batchSize: 16, microbatches: 4, iterations: 12 });
    const exposures = runs.map(exposureOf);
    const middle = (read: (exposure: Exposure) => number): number => median(exposures.map(read));
    rows.push([
      name,
      formatDuration(middle(({ passNs }) => passNs)),
      middle(({ balance }) => balance).toFixed(2),
      formatDuration(middle(({ aloneNs }) => aloneNs)),
      exposures.map(({ idleShare }) => percent(idleShare)).join(', '),
      exposures.map(({ causedShare }) => percent(causedShare)).join(', '),
      percent(middle(({ bubbles }) => bubbles)),
    ]);
  }
  console.log(formatTable([['two ranks', 'a pass', 'busy, first ÷ second', 'a transfer alone', 'idle while on its way', 'exposed', 'all idle time'], ...rows]));
  console.log(`Shares of the time that all transfers take alone, in each of ${ROUNDS} runs. Idle while on its way: a device computes nothing and its next input is made, not yet received.`);
  console.log('Exposed: device time by which the run, with its own op times, ends earlier if transfers take none. Target: 10 %.');
};
