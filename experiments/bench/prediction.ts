import * as E from 'fp-ts/lib/Either.js';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Job } from '../../core/job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { KIND } from '../../core/plan/op.ts';
import { heldBytesPeak } from '../../core/trace/compare-traces.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
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
import { measuredCost } from './measured-cost.ts';

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

/** The largest and the smallest ops: constants per call and constants per token are told apart best. */
export const FITTED: readonly Configuration[] = [
  { name: '1 microbatch', deviceCount: 2, change: (demo) => withMicrobatches(demo, 1) },
  { name: '8 microbatches', deviceCount: 2, change: (demo) => withMicrobatches(demo, 8) },
];

export const PREDICTED: readonly Configuration[] = [
  { name: 'as shipped, 2 microbatches', deviceCount: 2, change: (demo) => jobsOf(demo, () => ({})) },
  { name: 'rank 32, every module', deviceCount: 2, change: (demo) => jobsOf(demo, ({ adapter }) => ({ adapter: { ...adapter, rank: 32, targetModules: MODULE_NAMES } })) },
  { name: 'batch of 16', deviceCount: 2, change: (demo) => jobsOf(demo, () => ({ batchSize: 16 })) },
  { name: 'longest rows first', deviceCount: 2, change: (demo) => jobsOf(demo, ({ data }) => (data.kind === 'files' ? { data: { ...data, order: 'length' } } : {})) },
  { name: 'two adapters', deviceCount: 2, change: (demo) => jobsOf({ ...demo, jobs: demo.jobs.slice(1, 3) }, () => ({})) },
  { name: 'one stage', deviceCount: 1, change: (demo) => jobsOf(demo, () => ({})) },
];

export const planConfiguration = (demo: OpenExperiment, { deviceCount, change }: Configuration): TrainableExperiment => {
  const changed = changeExperiment(demo, change(demo.experiment));
  const part = planPart(changed, changed.experiment.jobs.map(({ name }) => name), deviceCount);
  // Evaluation is not in the trace.
  return { ...part, trainJobs: part.trainJobs.map((job) => ({ ...job, rows: { ...job.rows, heldout: null } })) };
};

export const measure = async (part: TrainableExperiment, backend?: BackendName): Promise<MeasuredRun> => ({
  trace: (await trainPart(part, backend)).trace,
  model: part.experiment.model,
  precision: part.experiment.precision,
  adapters: part.experiment.jobs.map(({ adapter }) => adapter),
});

const ROUNDS = 5;

/** Iterations of every job in which the JavaScript engine still compiles. */
const WARM_UP_ITERATIONS = 2;

/** The plan in virtual time: what is compared is the prediction of times, not the planner's use of it. */
export const replay = ({ experiment, plan }: TrainableExperiment, cost: CostModel, profile: CalibratedProfile): Trace => {
  const trace = simulate(plan, cost, calibrateLinks(experiment.cluster, profile));
  if (E.isLeft(trace)) throw new Error('the plan deadlocks');
  return trace.right;
};

/** Time from the end of every job's first iterations on. */
export const warmTime = ({ experiment }: TrainableExperiment, trace: Trace): number => {
  const { spans } = trace;
  const stepEnds = spans.endNs.filter((_, row) => spans.device[row] === 0 && spans.kind[row] === KIND.step).sort((a, b) => a - b);
  return makespanNs(trace) - stepEnds[WARM_UP_ITERATIONS * experiment.jobs.length - 1]!;
};

interface Comparison {
  readonly name: string;
  readonly predictedNs: number;
  /** The plan with the shortest measured time of each op: what the machine does where nothing disturbs it. */
  readonly quietNs: number;
  /** Of every run. */
  readonly measuredNs: readonly number[];
  /** Of every run: the plan with that run's own op times ÷ what it took, minus 1. */
  readonly replayErrors: readonly number[];
  readonly predictedPeak: number;
  readonly measuredPeak: number;
}

const compare = (name: string, part: TrainableExperiment, profile: CalibratedProfile, traces: readonly Trace[]): Comparison => {
  const cost = costOfExperiment(part.experiment, part.plan.stages, () => profile);
  const replayed = (runs: readonly Trace[]): number => warmTime(part, replay(part, measuredCost(cost, runs, profile.perPassNs.value), profile));
  const predicted = replay(part, cost, profile);
  const measuredNs = traces.map((trace) => warmTime(part, trace));
  return {
    name,
    predictedNs: warmTime(part, predicted),
    quietNs: replayed(traces),
    measuredNs,
    replayErrors: traces.map((trace, run) => replayed([trace]) / measuredNs[run]! - 1),
    predictedPeak: Math.max(...heldBytesPeak(predicted)),
    measuredPeak: Math.max(...traces.flatMap(heldBytesPeak)),
  };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const timeError = ({ predictedNs, quietNs }: Comparison): number => predictedNs / quietNs - 1;
const replayError = ({ replayErrors }: Comparison): number => median(replayErrors);
const runError = ({ predictedNs, measuredNs }: Comparison): number => predictedNs / median(measuredNs) - 1;
const peakError = ({ predictedPeak, measuredPeak }: Comparison): number => predictedPeak / measuredPeak - 1;

const HEADING = ['predicted', 'quiet', 'error', 'replay error', 'fastest', 'median', 'slowest run', 'peak', 'measured', 'error'];

const lineOf = (comparison: Comparison): string[] => {
  const { name, predictedNs, quietNs, measuredNs, predictedPeak, measuredPeak } = comparison;
  const runs = [Math.min(...measuredNs), median(measuredNs), Math.max(...measuredNs)];
  return [
    name,
    ...[predictedNs, quietNs].map(formatDuration),
    percent(timeError(comparison)),
    percent(replayError(comparison)),
    ...runs.map(formatDuration),
    ...[predictedPeak, measuredPeak].map(formatBytes),
    percent(peakError(comparison)),
  ];
};

const summarise = (comparisons: readonly Comparison[], error: (comparison: Comparison) => number): string => {
  const sizes = comparisons.map((comparison) => Math.abs(error(comparison)));
  return `median ${percent(median(sizes))}, worst ${percent(Math.max(...sizes))}`;
};

/** All configurations take turns, so that what else the machine does meets each of them. */
const measureAll = async (parts: readonly TrainableExperiment[]): Promise<MeasuredRun[][]> => {
  const runs: MeasuredRun[][] = parts.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, part] of parts.entries()) runs[index]!.push(await measure(part));
  }
  return runs;
};

export const benchPrediction = async (): Promise<void> => {
  const demo = await openDemo();
  const parts = [...FITTED, ...PREDICTED].map((configuration) => planConfiguration(demo, configuration));
  const runs = await measureAll(parts);
  const { profile, constants, rows, medianError } = calibrate(runs.slice(0, FITTED.length).flat(), 'this machine');
  console.log(`Fitted ${constants} constants on ${rows} ops of "${FITTED.map(({ name }) => name).join('" and "')}", median error ${percent(medianError)}`);
  const comparisons = [...FITTED, ...PREDICTED].map(({ name }, index) =>
    compare(name, parts[index]!, profile, runs[index]!.map(({ trace }) => trace)),
  );
  console.log(
    formatTable([
      ['used in the fit', ...HEADING],
      ...comparisons.slice(0, FITTED.length).map(lineOf),
      ['not used in the fit', ...HEADING],
      ...comparisons.slice(FITTED.length).map(lineOf),
    ]),
  );
  const unseen = comparisons.slice(FITTED.length);
  console.log(`Times from the end of iteration ${WARM_UP_ITERATIONS} on, ${ROUNDS} runs each. Not used in the fit, target 5 %:`);
  console.log(`  prediction ÷ the plan with each op's shortest measured time: ${summarise(unseen, timeError)}`);
  console.log(`  the plan with a run's own op times ÷ that run: ${summarise(unseen, replayError)}`);
  console.log(`  prediction ÷ median run, other users of the machine included: ${summarise(unseen, runError)}`);
  console.log(`  peak memory: ${summarise(unseen, peakError)}`);
};
