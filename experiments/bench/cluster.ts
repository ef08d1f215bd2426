import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { createGrouper } from '../../core/scheduler/grouping.ts';
import { preemptivePriority } from '../../core/scheduler/policy.ts';
import { formatFile } from '../../exec/exec-error.ts';
import type { JobRecord } from '../../sim/cluster/cluster-run.ts';
import { fastForward } from '../../sim/cluster/fast-forward.ts';
import { runOpByOp } from '../../sim/cluster/op-by-op.ts';
import { pipelineModel } from '../../sim/cluster/pipeline-model.ts';
import { steadyRates } from '../../sim/cluster/steady-rate.ts';
import { arrivingJobs } from '../cluster/arriving-jobs.ts';
import { readClusterFile, type ClusterFile } from '../cluster/cluster-file.ts';
import { runSweep } from '../cluster/halving-sweep.ts';
import { runCluster } from '../cluster/run-cluster.ts';
import { PACKAGE_ROOT } from '../package-root.ts';

const unasked = (): never => {
  throw new Error('lengths are drawn, not read');
};

/** A simulated month, fast-forwarding against every op, priorities against first come first served, and a sweep by halving. */
export const benchCluster = (): void => {
  month();
  fidelity();
  priorities();
  halving();
};

const open = (name: string): ClusterFile => {
  const path = join(PACKAGE_ROOT, 'experiments/cluster', `${name}.yaml`);
  const read = readClusterFile(path, readFileSync(path, 'utf8'));
  if (E.isLeft(read)) throw new Error(read.left.map(formatFile).join('\n'));
  return read.right;
};

const month = (): void => {
  const file = open('month');
  let start = performance.now();
  console.log(`${file.name}, seconds for each policy (target 60):`);
  const results = runCluster(file, (name) => {
    console.log(`  ${name.padEnd(12)} ${((performance.now() - start) / 1000).toFixed(1)} s`);
    start = performance.now();
  });
  const [first] = results;
  console.log(`  ${first!.all.jobs} jobs in ${(first!.makespanSeconds / 86_400).toFixed(1)} days; mean completion in hours: ${results.map(({ name, all }) => `${name} ${(all.meanCompletion / 3600).toFixed(2)}`).join(', ')}`);
};

const FIDELITY = { jobs: 60, iterationShare: 0.2 } as const;

const fidelity = (): void => {
  const file = open('mixed-priority');
  const model = pipelineModel(file.experiment, { rowCount: unasked, part: unasked, heldout: unasked });
  const grouper = createGrouper({ predict: model.predict, mostGroups: 8, microbatches: [1, 2, 4, 8], leastGain: 0.01 });
  const arrivals = arrivingJobs(file.arrivals, model)
    .slice(0, FIDELITY.jobs)
    .map(({ timeNs, job }) => ({ timeNs: timeNs * 2 * FIDELITY.iterationShare, job: { ...job, iterations: Math.ceil(job.iterations * FIDELITY.iterationShare) } }));
  const setting = { scheduler: { policy: preemptivePriority, budgetBytes: [model.budgetBytes], slots: file.slots, mayJoin: grouper.mayJoin }, grouper, arrivals };
  const startExact = performance.now();
  const exact = runOpByOp({ model, ...setting });
  const startFast = performance.now();
  const fast = fastForward({ ...setting, kindOf: model.kindOf, rateOf: steadyRates(model) });
  const endFast = performance.now();
  const mean = (jobs: readonly JobRecord[]): number => jobs.reduce((sum, { endNs, arrivalNs }) => sum + endNs! - arrivalNs, 0) / jobs.length;
  const end = (jobs: readonly JobRecord[]): number => Math.max(...jobs.map(({ endNs }) => endNs!));
  const off = (read: (jobs: readonly JobRecord[]) => number): string => `${(100 * (read(fast.jobs) / read(exact.jobs) - 1)).toFixed(2)} %`;
  console.log(`${FIDELITY.jobs} jobs on one pipeline with preemption, fast-forwarded against op by op (target 0.5 %)`);
  console.log(`  mean completion ${off(mean)}, makespan ${off(end)}; ${exact.trace.spans.length} spans in ${((startFast - startExact) / 1000).toFixed(1)} s against ${((endFast - startFast) / 1000).toFixed(1)} s`);
};

const priorities = (): void => {
  const results = runCluster({ ...open('mixed-priority'), policies: ['fcfs', 'priority'] });
  const [fcfs, priority] = ['fcfs', 'priority'].map((name) => results.find((result) => result.name === name)!) as [(typeof results)[number], (typeof results)[number]];
  const mean = (result: typeof fcfs): number => result.byPriority.get(1)!.meanCompletion;
  console.log('mixed priorities, 400 jobs, preemptive priority against first come first served (targets: 2 times, within 5 %)');
  console.log(`  urgent jobs end ${(mean(fcfs) / mean(priority)).toFixed(1)} times as fast; throughput ${(100 * (priority.tokensPerSecond / fcfs.tokensPerSecond - 1)).toFixed(2)} %`);
};

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

const halving = (): void => {
  const { experiment } = open('mixed-priority');
  const runs = SEEDS.map((seed) => ({ full: runSweep(experiment, seed, false), halved: runSweep(experiment, seed, true) }));
  const worst = (read: (run: (typeof runs)[number]) => number): string => Math.max(...runs.map(read)).toFixed(3);
  console.log(`sweep of 32 trials by successive halving, modelled loss curves, ${SEEDS.length} seeds (target: the best loss in 0.4 of the device time)`);
  console.log(`  device time at most ${worst(({ full, halved }) => halved.deviceSeconds / full.deviceSeconds)} of the full sweep's, makespan at most ${worst(({ full, halved }) => halved.makespanSeconds / full.makespanSeconds)}`);
  console.log(`  best loss at most ${worst(({ full, halved }) => halved.bestLoss / full.bestLoss)} of the full sweep's; the same trial in ${runs.filter(({ full, halved }) => full.bestTrial === halved.bestTrial).length} of ${SEEDS.length}`);
};
