import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../core/cluster/cluster.ts';
import { KIND } from '../../core/plan/op.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { formatTable } from '../../core/text-table.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatDuration, nanoseconds, NS_PER_S } from '../../core/units.ts';
import { calibrate } from '../../sim/calibrate.ts';
import type { CalibratedProfile } from '../../sim/device-profile.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { median } from '../../sim/measured-ops.ts';
import { measuredTransfers } from '../../sim/measured-transfers.ts';
import type { Cable } from '../two-machines/two-machines.ts';
import { measuredCost } from './measured-cost.ts';
import { runOnTwoMachines, type TwoMachineRuns } from './two-machine-run.ts';

/**
 * Steps over a link against their prediction. The plan is replayed with the op times of each run itself, so that what is
 * judged is the link and not how busy this machine was; the prediction from a profile of another run stands beside it.
 */

const ITERATIONS = 12;
const ROUNDS = 3;
const WARM_UP_ITERATIONS = 2;
const GIGABIT: Cable = { bitsPerSecond: 1e9, latencySeconds: 0.002 };

const CASES: readonly { readonly name: string; readonly cable: Cable | null; readonly batchSize: number }[] = [
  { name: '1 Gbit/s, 2 ms', cable: GIGABIT, batchSize: 8 },
  { name: '1 Gbit/s, 2 ms, batch of 16', cable: GIGABIT, batchSize: 16 },
  { name: 'full speed', cable: null, batchSize: 8 },
];

/** Time of a step of one adapter, from the end of every job's first iterations on. */
const stepNs = ({ experiment }: TwoMachineRuns, { spans, ...rest }: Trace): number => {
  const jobs = experiment.jobs.length;
  const ends = spans.endNs.filter((_, row) => spans.device[row] === 0 && spans.kind[row] === KIND.step).sort((a, b) => a - b);
  const warmNs = ends[WARM_UP_ITERATIONS * jobs - 1]!;
  return (makespanNs({ spans, ...rest }) - warmNs) / (ends.length - WARM_UP_ITERATIONS * jobs);
};

/** A link whose figures nobody knows gets what transfers to waiting ranks took. */
const withMeasuredLink = (cluster: Cluster, { link }: CalibratedProfile): Cluster => {
  if (link === null) throw new Error('too few transfers to waiting ranks');
  const { latencyNs, nsPerByte } = link;
  const links = cluster.links.map((each) => ({
    ...each,
    bytesPerSecond: nsPerByte.value > 0 ? NS_PER_S / nsPerByte.value : each.bytesPerSecond,
    latencyNs: each.latencyNs > 0 ? nanoseconds(latencyNs.value / NS_PER_S) : each.latencyNs,
  }));
  return { ...cluster, links };
};

const replay = (run: TwoMachineRuns, traces: readonly Trace[], { perPassNs }: CalibratedProfile, cluster: Cluster): number => {
  const trace = simulate(run.plan, measuredCost(run.cost, traces, perPassNs.value), cluster);
  if (E.isLeft(trace)) throw new Error('the plan deadlocks');
  return stepNs(run, trace.right);
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const benchLink = async (): Promise<void> => {
  const rows: string[][] = [];
  for (const { name, cable, batchSize } of CASES) {
    const run = await runOnTwoMachines({ cable, batchSize, iterations: ITERATIONS, rounds: ROUNDS });
    const traces = run.runs.map(({ trace }) => trace);
    const { profile } = calibrate(run.runs, 'these machines');
    const cluster = cable === null ? withMeasuredLink(run.experiment.cluster, profile) : run.experiment.cluster;
    const measured = traces.map((trace) => stepNs(run, trace));
    const errors = traces.map((trace, index) => replay(run, [trace], profile, cluster) / measured[index]! - 1);
    const quietNs = replay(run, traces, profile, cluster);
    rows.push([
      name,
      formatDuration(median(run.runs.flatMap(measuredTransfers).map(({ ns }) => ns))),
      formatDuration(quietNs),
      ...[Math.min(...measured), median(measured), Math.max(...measured)].map(formatDuration),
      percent(quietNs / median(measured) - 1),
      percent(median(errors)),
    ]);
  }
  console.log(formatTable([['two machines', 'a transfer to a waiting rank', 'predicted step', 'fastest', 'median', 'slowest run', 'error', 'replay error'], ...rows]));
  console.log(`Mean time of a step from iteration ${WARM_UP_ITERATIONS} on, ${ROUNDS} runs each. Prediction: the plan with each op's shortest time over the runs.`);
  console.log('Replay error: the plan with the shortest times of that run alone ÷ that run, median of the runs. Target: 5 %.');
};
