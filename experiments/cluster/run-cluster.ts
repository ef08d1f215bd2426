/** The same jobs under every policy, one after another and in fixed groups. */
import { createGrouper } from '../../core/scheduler/grouping.ts';
import { firstComeFirstServed, makePolicy } from '../../core/scheduler/policy.ts';
import type { SchedulerOptions } from '../../core/scheduler/scheduler.ts';
import type { ArrivingJob, ClusterResult, JobRecord } from '../../sim/cluster/cluster-run.ts';
import { fastForward } from '../../sim/cluster/fast-forward.ts';
import { pipelineModel } from '../../sim/cluster/pipeline-model.ts';
import { steadyRates } from '../../sim/cluster/steady-rate.ts';
import { arrivingJobs } from './arriving-jobs.ts';
import type { ClusterFile } from './cluster-file.ts';

/** Figures of some jobs; times in seconds. */
export interface JobFigures {
  readonly jobs: number;
  readonly meanCompletion: number;
  readonly p99Completion: number;
  /** Mean completion time over the time the same job takes alone on an idle pipeline. */
  readonly meanSlowdown: number;
}

export interface ContenderResult {
  readonly name: string;
  readonly all: JobFigures;
  readonly byPriority: ReadonlyMap<number, JobFigures>;
  readonly tokensPerSecond: number;
  /** Share of the time that devices compute, from the first arrival to the last end. */
  readonly utilisation: number;
  readonly makespanSeconds: number;
  readonly preemptions: number;
  readonly refused: number;
  readonly records: readonly JobRecord[];
}

const MICROBATCHES = [1, 2, 4, 8, 16];
/** A job joins a pipeline where it adds at least this much throughput: beyond that it only slows the others down. */
const LEAST_GAIN = 0.01;

const unasked = (): never => {
  throw new Error('the rows of a cluster file are lengths');
};

export const runCluster = (file: ClusterFile, onDone: (name: string) => void = () => undefined): readonly ContenderResult[] => {
  const model = pipelineModel(file.experiment, { rowCount: unasked, part: unasked, heldout: unasked });
  const devices = file.experiment.cluster.devices.length;
  const arrivals = arrivingJobs(file.arrivals, model);
  const grouper = createGrouper({
    predict: model.predict,
    mostGroups: 2 * devices,
    microbatches: MICROBATCHES,
    leastGain: LEAST_GAIN,
    ...(file.maximumSlowdown === null ? {} : { maximumSlowdown: file.maximumSlowdown }),
  });
  const rateOf = steadyRates(model);
  const aloneNs = ({ spec }: JobRecord): number => {
    const [group] = grouper.group([spec]).groups;
    return spec.iterations * rateOf([{ kinds: [model.kindOf(spec)], microbatches: group!.microbatches }]).periodNs[0]!;
  };
  return contenders(file, devices).map(({ name, options }) => {
    const scheduler: SchedulerOptions = { budgetBytes: Array.from({ length: file.pipelines }, () => model.budgetBytes), mayJoin: grouper.mayJoin, slots: file.slots, ...options };
    const result = fastForward({ scheduler, grouper, arrivals, kindOf: model.kindOf, rateOf, ...(options.policy.followsService ? { tickNs: file.quantum } : {}) });
    onDone(name);
    return summarize(name, result, { arrivals, devices: devices * file.pipelines, aloneNs });
  });
};

type Choice = Pick<SchedulerOptions, 'policy'> & Partial<SchedulerOptions>;

const contenders = (file: ClusterFile, devices: number): readonly { readonly name: string; readonly options: Choice }[] => [
  { name: 'sequential', options: { policy: firstComeFirstServed, slots: 1 } },
  { name: 'fixed groups', options: { policy: firstComeFirstServed, slots: devices, refill: 'whenEmpty', mayJoin: () => true } },
  ...file.policies.map((name) => ({ name, options: { policy: makePolicy(name, { quantumNs: file.quantum, levelNs: file.level }) } })),
];

interface Surroundings {
  readonly arrivals: readonly ArrivingJob[];
  readonly devices: number;
  readonly aloneNs: (record: JobRecord) => number;
}

const summarize = (name: string, { jobs, busyNs, tokens, endNs }: ClusterResult, { arrivals, devices, aloneNs }: Surroundings): ContenderResult => {
  const ended = jobs.filter(({ outcome }) => outcome === 'completed');
  const figures = (records: readonly JobRecord[]): JobFigures => {
    const completions = records.map(({ endNs: end, arrivalNs }) => (end! - arrivalNs) / 1e9).sort((a, b) => a - b);
    const slowdowns = records.map((record) => (record.endNs! - record.arrivalNs) / aloneNs(record));
    const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    return { jobs: records.length, meanCompletion: mean(completions), p99Completion: completions[Math.ceil(0.99 * completions.length) - 1]!, meanSlowdown: mean(slowdowns) };
  };
  const priorities = [...new Set(ended.map(({ spec }) => spec.priority))].sort((a, b) => b - a);
  const spanNs = endNs - Math.min(...arrivals.map(({ timeNs }) => timeNs));
  return {
    name,
    all: figures(ended),
    byPriority: new Map(priorities.map((priority) => [priority, figures(ended.filter(({ spec }) => spec.priority === priority))])),
    tokensPerSecond: (tokens / spanNs) * 1e9,
    utilisation: busyNs / (devices * spanNs),
    makespanSeconds: spanNs / 1e9,
    preemptions: jobs.reduce((sum, { preemptions }) => sum + preemptions, 0),
    refused: jobs.filter(({ outcome }) => outcome === 'refused').length,
    records: jobs,
  };
};
