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
import { median, type MeasuredRun } from '../../sim/measured-ops.ts';
import type { Cable } from '../two-machines/two-machines.ts';
import { measuredCost } from './measured-cost.ts';
import { GIGABIT, runOnTwoMachines, type TwoMachineRuns } from './two-machine-run.ts';

/**
 * Steps over two links against their prediction. Runs at full speed and over the slow cable take turns, all of one plan. A
 * run is predicted from the op times of the run beside it, which is over the other link, and from link figures that the first
 * run, at full speed, gave; that run is not predicted. So nothing is fitted on what it predicts.
 */

const ITERATIONS = 12;
const PAIRS = 4;
const WARM_UP_ITERATIONS = 2;

/** Time of a step of one adapter, from the end of every job's first iterations on. */
const stepNs = ({ experiment }: TwoMachineRuns, { spans, ...rest }: Trace): number => {
  const jobs = experiment.jobs.length;
  const ends = spans.endNs.filter((_, row) => spans.device[row] === 0 && spans.kind[row] === KIND.step).sort((a, b) => a - b);
  const warmNs = ends[WARM_UP_ITERATIONS * jobs - 1]!;
  return (makespanNs({ spans, ...rest }) - warmNs) / (ends.length - WARM_UP_ITERATIONS * jobs);
};

/** What transfers to waiting ranks take at full speed, and what a cable adds to it. */
const linkOf = (cluster: Cluster, { link }: CalibratedProfile, cable: Cable | null): Cluster => {
  if (link === null) throw new Error('too few transfers to waiting ranks');
  const nsPerByte = link.nsPerByte.value + (cable === null ? 0 : (8 * NS_PER_S) / cable.bitsPerSecond);
  const latencySeconds = link.latencyNs.value / NS_PER_S + (cable?.latencySeconds ?? 0);
  const links = cluster.links.map((each) => ({
    ...each,
    bytesPerSecond: nsPerByte > 0 ? NS_PER_S / nsPerByte : each.bytesPerSecond,
    latencyNs: each.latencyNs > 0 ? nanoseconds(latencySeconds) : each.latencyNs,
  }));
  return { ...cluster, links };
};

const simulatedStepNs = (run: TwoMachineRuns, trace: Trace, perPassNs: number, cluster: Cluster): number => {
  const simulated = simulate(run.plan, measuredCost(run.cost, [trace], perPassNs), cluster);
  if (E.isLeft(simulated)) throw new Error('the plan deadlocks');
  return stepNs(run, simulated.right);
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const profileOf = (run: MeasuredRun): CalibratedProfile => calibrate([run], 'these machines').profile;

export const benchLink = async (): Promise<void> => {
  const cables = Array.from({ length: 1 + 2 * PAIRS }, (_, turn) => (turn % 2 === 0 ? null : GIGABIT));
  const all = await runOnTwoMachines({ plannedFor: GIGABIT, cables, batchSize: 16, microbatches: 2, iterations: ITERATIONS });
  const { cluster } = all.experiment;
  const first = profileOf(all.runs[0]!);
  const perPassNs = all.runs.map((run) => profileOf(run).perPassNs.value);
  const predictedNs = (cable: Cable | null, from: number): number => simulatedStepNs(all, all.runs[from]!.trace, perPassNs[from]!, linkOf(cluster, first, cable));
  const measuredNs = all.runs.map(({ trace }) => stepNs(all, trace));
  const turns = cables.map((_, turn) => turn).slice(1);
  const row = (name: string, cable: Cable | null): string[] => {
    const own = turns.filter((turn) => cables[turn] === cable);
    const predicted = own.map((turn) => predictedNs(cable, turn - 1));
    const measured = own.map((turn) => measuredNs[turn]!);
    const replayed = own.map((turn) => predictedNs(cable, turn) / measuredNs[turn]! - 1);
    return [
      name,
      formatDuration(median(predicted)),
      ...[Math.min(...measured), median(measured), Math.max(...measured)].map(formatDuration),
      percent(median(predicted) / median(measured) - 1),
      percent(median(own.map((turn, index) => predicted[index]! / measuredNs[turn]! - 1))),
      percent(median(replayed)),
    ];
  };
  console.log(
    formatTable([
      ['two machines', 'predicted step', 'fastest', 'median', 'slowest run', 'error of medians', 'median error of pairs', 'replay error'],
      row('1 Gbit/s, 2 ms', GIGABIT),
      row('full speed', null),
    ]),
  );
  // The same op times over either link: what the link alone is predicted to add.
  const added = turns.map((turn) => predictedNs(GIGABIT, turn) / predictedNs(null, turn) - 1);
  const gigabit = median(turns.filter((turn) => cables[turn] !== null).map((turn) => measuredNs[turn]!));
  const full = median(turns.filter((turn) => cables[turn] === null).map((turn) => measuredNs[turn]!));
  console.log(`Slow cable ÷ full speed: predicted ${percent(median(added))} more, measured ${percent(gigabit / full - 1)} more.`);
  console.log(`Mean time of a step from iteration ${WARM_UP_ITERATIONS} on; ${PAIRS} runs over each link in turn. Predicted with the op times of the run before, over the other link,`);
  console.log(`and with transfers of ${formatDuration(first.link!.latencyNs.value)} + ${first.link!.nsPerByte.value.toFixed(2)} ns a byte at full speed, from a run of its own. Replay: with the run's own op times. Target: 5 %.`);
};
