import { STREAM } from '../../core/plan/op.ts';
import { splitIdle } from '../../core/explain/idle.ts';
import { bubbleRatio } from '../../core/trace/metrics.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatDuration } from '../../core/units.ts';
import { median, type MeasuredRun } from '../../sim/measured-ops.ts';
import { measuredTransfers } from '../../sim/measured-transfers.ts';
import type { Cable } from '../two-machines/two-machines.ts';
import { runOnTwoMachines } from './two-machine-run.ts';

/**
 * How much of the transfers between two ranks is exposed: idle time that `mlora explain` charges to communication, against the
 * time that the transfers take where their receiver waits for them.
 */

const GIGABIT: Cable = { bitsPerSecond: 1e9, latencySeconds: 0.002 };

const CASES: readonly { readonly name: string; readonly cable: Cable | null; readonly batchSize: number }[] = [
  { name: '1 Gbit/s, 2 ms, batch of 16', cable: GIGABIT, batchSize: 16 },
  { name: 'full speed, batch of 16', cable: null, batchSize: 16 },
];

interface Exposure {
  readonly exposedNs: number;
  /** What the transfers take by themselves. */
  readonly transferNs: number;
  readonly aloneNs: number;
  readonly bubbles: number;
}

const exposureOf = (run: MeasuredRun): Exposure => {
  const { trace } = run;
  const aloneNs = median(measuredTransfers(run).map(({ ns }) => ns));
  const receives = trace.spans.stream.filter((stream) => stream === STREAM.receive).length;
  return { exposedNs: splitIdle(trace).total.byCause.communication, transferNs: receives * aloneNs, aloneNs, bubbles: bubbleRatio(trace) };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const benchOverlap = async (): Promise<void> => {
  const rows: string[][] = [];
  for (const { name, cable, batchSize } of CASES) {
    const { runs } = await runOnTwoMachines({ cable, batchSize, iterations: 16, rounds: 3 });
    const exposures = runs.map(exposureOf);
    const shares = exposures.map(({ exposedNs, transferNs }) => exposedNs / transferNs);
    rows.push([
      name,
      formatDuration(median(exposures.map(({ aloneNs }) => aloneNs))),
      formatDuration(median(exposures.map(({ transferNs }) => transferNs))),
      formatDuration(median(exposures.map(({ exposedNs }) => exposedNs))),
      percent(median(shares)),
      percent(median(exposures.map(({ bubbles }) => bubbles))),
    ]);
  }
  console.log(formatTable([['two ranks, two equal stages', 'a transfer alone', 'all transfers', 'exposed', 'share', 'all idle time'], ...rows]));
  console.log('Exposed: idle time because of communication, as `mlora explain` splits it; medians of 3 runs. Target: 10 % of the time that all transfers take.');
};
