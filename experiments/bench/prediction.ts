import * as E from 'fp-ts/lib/Either.js';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Job } from '../../core/job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';
import { heldBytesPeak } from '../../core/trace/compare-traces.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import type { OpenExperiment } from '../../exec/run/open-experiment.ts';
import { changeExperiment } from '../../exec/run/change-experiment.ts';
import type { TrainableExperiment } from '../../exec/run/train-experiment.ts';
import { calibrate } from '../../sim/calibrate.ts';
import { calibrateLinks } from '../../sim/calibrated-cluster.ts';
import type { CalibratedProfile } from '../../sim/device-profile.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { median, type MeasuredRun } from '../../sim/measured-ops.ts';
import { costOfExperiment } from '../../sim/plan-experiment.ts';
import { openDemo, planPart, trainPart } from './demo-run.ts';

/** Calibrates on two configurations of the shipped demo, predicts five others and runs them. */

interface Configuration {
  readonly name: string;
  readonly deviceCount: number;
  readonly change: (experiment: Experiment) => Experiment;
}

const ITERATIONS = 12;

const jobsOf = (experiment: Experiment, change: (job: Job) => Partial<Job>): Experiment => ({
  ...experiment,
  jobs: experiment.jobs.map((job) => ({ ...job, duration: { kind: 'iterations', iterations: ITERATIONS }, ...change(job) })),
});

const withMicrobatches = (experiment: Experiment, microbatches: number): Experiment => ({
  ...jobsOf(experiment, () => ({})),
  schedule: { ...experiment.schedule, microbatches },
});

const withRank = (experiment: Experiment, rank: number): Experiment =>
  jobsOf(experiment, ({ adapter }) => ({ adapter: { ...adapter, rank } }));

const FITTED: readonly Configuration[] = [
  { name: 'as shipped, 2 microbatches', deviceCount: 2, change: (demo) => withMicrobatches(demo, 2) },
  { name: '4 microbatches', deviceCount: 2, change: (demo) => withMicrobatches(demo, 4) },
];

const PREDICTED: readonly Configuration[] = [
  { name: 'rank 32, every module', deviceCount: 2, change: (demo) => jobsOf(withRank(demo, 32), ({ adapter }) => ({ adapter: { ...adapter, rank: 32, targetModules: MODULE_NAMES } })) },
  { name: 'batch of 16', deviceCount: 2, change: (demo) => jobsOf(demo, () => ({ batchSize: 16 })) },
  { name: 'two adapters', deviceCount: 2, change: (demo) => jobsOf({ ...demo, jobs: demo.jobs.slice(1, 3) }, () => ({})) },
  { name: 'one stage', deviceCount: 1, change: (demo) => jobsOf(demo, () => ({})) },
  { name: '8 microbatches', deviceCount: 2, change: (demo) => withMicrobatches(demo, 8) },
];

const planConfiguration = (demo: OpenExperiment, { deviceCount, change }: Configuration): TrainableExperiment => {
  const changed = changeExperiment(demo, change(demo.experiment));
  const part = planPart(changed, changed.experiment.jobs.map(({ name }) => name), deviceCount);
  // Evaluation is not in the trace.
  return { ...part, trainJobs: part.trainJobs.map((job) => ({ ...job, rows: { ...job.rows, heldout: null } })) };
};

const measure = async (part: TrainableExperiment): Promise<MeasuredRun> => ({
  trace: (await trainPart(part)).trace,
  model: part.experiment.model,
  precision: part.experiment.precision,
  adapters: part.experiment.jobs.map(({ adapter }) => adapter),
});

/** The same plan in virtual time: what is compared is the prediction of times, not the planner's use of it. */
const predict = ({ experiment, plan }: TrainableExperiment, profile: CalibratedProfile): Trace => {
  const cost = costOfExperiment(experiment, plan.stages, () => profile);
  const trace = simulate(plan, cost, calibrateLinks(experiment.cluster, profile));
  if (E.isLeft(trace)) throw new Error('the plan deadlocks');
  return trace.right;
};

const largest = (values: readonly number[]): number => Math.max(...values);

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const benchPrediction = async (): Promise<void> => {
  const demo = await openDemo();
  const runs: MeasuredRun[] = [];
  for (const configuration of FITTED) runs.push(await measure(planConfiguration(demo, configuration)));
  const { profile, constants, rows, medianError } = calibrate(runs, 'this machine');
  console.log(`Fitted ${constants} constants on ${rows} ops of "${FITTED.map(({ name }) => name).join('" and "')}", median error ${percent(medianError)}`);
  const table = [['not used in the fit', 'makespan', 'measured', 'error', 'peak', 'measured', 'error']];
  const errors: { time: number; memory: number }[] = [];
  for (const configuration of PREDICTED) {
    const part = planConfiguration(demo, configuration);
    const predicted = predict(part, profile);
    const { trace: measured } = await measure(part);
    const times = [makespanNs(predicted), makespanNs(measured)] as const;
    const peaks = [largest(heldBytesPeak(predicted)), largest(heldBytesPeak(measured))] as const;
    const error = { time: times[0] / times[1] - 1, memory: peaks[0] / peaks[1] - 1 };
    errors.push(error);
    table.push([configuration.name, ...times.map(formatDuration), percent(error.time), ...peaks.map(formatBytes), percent(error.memory)]);
  }
  console.log(formatTable(table));
  const medianOf = (read: (error: { time: number; memory: number }) => number): string => percent(median(errors.map((error) => Math.abs(read(error)))));
  console.log(`median error: makespan ${medianOf(({ time }) => time)}, peak memory ${medianOf(({ memory }) => memory)} (target 5 %)`);
};
