import * as E from 'fp-ts/lib/Either.js';
import { resolveExperiment } from '../../core/experiment/read.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import type { Schedule } from '../../core/experiment/schedule.ts';
import { countOps } from '../../core/plan/plan.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { MEGA } from '../../core/units.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { planExperiment, type PlannedExperiment } from '../../sim/plan-experiment.ts';
import { peerPlan, runPeers, type PeerPlan, type PeerRun } from './plan-peers.ts';

const PLANS = 1000;
const ADAPTERS = 8;
const ITERATIONS = 20;
/** Plans that the peers simulate too. */
const PEER_PLANS = 10;

/** Schedules of the sweep; what differs between plans besides them are lengths, ranks and microbatches. */
const schedulesOf = (microbatches: number): readonly Schedule[] => [
  makeSchedule({ type: 'lorapp', microbatches }),
  makeSchedule({ type: 'lorapp', microbatches, release: 'greedy' }),
  makeSchedule({ type: 'lorapp', microbatches, groups: 8 }),
  makeSchedule({ type: 'lorapp', microbatches, groups: 8, order: 'gpipe' }),
  makeSchedule({ type: 'lorapp', microbatches, groups: 2, extraInFlight: 0 }),
  makeSchedule({ type: '1f1b', microbatches }),
  makeSchedule({ type: 'gpipe', microbatches }),
  makeSchedule({ type: 'zb-v', microbatches }),
];

const unasked = (): never => {
  throw new Error('lengths are drawn, not read');
};

/** The n-th plan's experiment: eight adapters of TinyLlama on four RTX A6000. Every fifth has lengths of its own for each row. */
const experimentOf = (number: number): Experiment => {
  const microbatches = [2, 4, 8][Math.floor(number / 8) % 3]!;
  const length = 64 + 4 * Math.floor(number / 24);
  const file = {
    name: `plan-${number}`,
    model: 'TinyLlama-1.1B',
    cluster: '4xA6000-pcie',
    defaults: {
      batchSize: 8,
      iterations: ITERATIONS,
      data: { lengths: number % 5 === 0 ? { type: 'lognormal', mean: length, sigma: 0.6, maximum: 1024 } : { type: 'fixed', length } },
    },
    jobs: Array.from({ length: ADAPTERS }, (_, job) => ({ name: `job-${job}`, seed: number, adapter: { rank: 4 << (job % 4) } })),
  };
  const read = resolveExperiment(file, { readModelConfig: unasked });
  if (E.isLeft(read)) throw new Error(JSON.stringify(read.left));
  return { ...read.right, schedule: schedulesOf(microbatches)[number % 8]! };
};

const planned = (experiment: Experiment): PlannedExperiment => {
  const plan = planExperiment(experiment, { files: { rowCount: unasked, part: unasked, heldout: unasked } });
  if (E.isLeft(plan)) throw new Error(JSON.stringify(plan.left));
  return plan.right;
};

/** Plans and simulates 1,000 different plans and sets the simulation beside SimPy's and PyTorch's of some of them. */
export const benchManyPlans = (): void => {
  const totals = { ops: 0, planSeconds: 0, simulateSeconds: 0 };
  const peers: { readonly plan: PeerPlan; readonly ops: number; readonly makespan: number; readonly seconds: number }[] = [];
  for (let number = 0; number < PLANS; number++) {
    const experiment = experimentOf(number);
    const start = performance.now();
    const { plan, cost } = planned(experiment);
    const between = performance.now();
    const trace = simulate(plan, cost, experiment.cluster);
    const seconds = (performance.now() - between) / 1000;
    if (E.isLeft(trace)) throw new Error(`plan ${number} deadlocks`);
    totals.ops += countOps(plan);
    totals.planSeconds += (between - start) / 1000;
    totals.simulateSeconds += seconds;
    if (number % (PLANS / PEER_PLANS) === 4) {
      peers.push({ plan: peerPlan(plan, cost, experiment.cluster), ops: countOps(plan), makespan: makespanNs(trace.right), seconds });
    }
  }
  const { ops, planSeconds, simulateSeconds } = totals;
  console.log(`${PLANS} different plans of 4 devices x ${ADAPTERS} adapters x ${ITERATIONS} iterations, ${(ops / MEGA).toFixed(1)} million ops, one core`);
  console.log(`  planned in ${planSeconds.toFixed(1)} s and simulated in ${simulateSeconds.toFixed(1)} s (${(ops / simulateSeconds / MEGA).toFixed(2)} million ops/s): ${(planSeconds + simulateSeconds).toFixed(1)} s`);
  const peerOps = peers.reduce((sum, peer) => sum + peer.ops, 0);
  const ownSeconds = peers.reduce((sum, peer) => sum + peer.seconds, 0);
  const runs = runPeers(peers.map(({ plan }) => plan));
  console.log(`simulation of ${PEER_PLANS} of them, ${peerOps} ops, memory and trace included in ours only`);
  console.log(`  ours                    ${ownSeconds.toFixed(2)} s`);
  console.log(`  SimPy, the same model   ${describe(runs.simpy, ownSeconds)}${agreement(runs.simpy, peers.map(({ makespan }) => makespan))}`);
  console.log(`  PyTorch's, without time ${describe(runs.torch, ownSeconds)}`);
};

const describe = (run: PeerRun, ownSeconds: number): string =>
  'missing' in run ? `skipped: ${run.missing}` : `${run.seconds.toFixed(2)} s, ${(run.seconds / ownSeconds).toFixed(0)} times ours (version ${run.version})`;

const agreement = (run: PeerRun, makespans: readonly number[]): string => {
  if ('missing' in run) return '';
  const worst = Math.max(...makespans.map((makespan, index) => Math.abs(run.results[index]! / makespan - 1)));
  return `; makespans differ by at most ${(100 * worst).toPrecision(2)} %`;
};
