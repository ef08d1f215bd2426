/** A pipeline and the kinds of jobs that come to it, from an experiment: each of its jobs is a kind. */
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import { activationTotalBytes, adapterTotalBytes, residentBytesOf, type CostModel } from '../../core/cost-model.ts';
import { workloadOf, type FileSizes } from '../../core/experiment/build-workload.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { MicrobatchShape, StagePlacement } from '../../core/plan/plan.ts';
import { roundTime, type PipelineTimes } from '../../core/planners/round-time.ts';
import type { PredictRound } from '../../core/scheduler/grouping.ts';
import type { JobSpec } from '../../core/scheduler/job.ts';
import type { AdapterWorkload } from '../../core/workload.ts';
import { costOfExperiment, placeStages } from '../plan-experiment.ts';

export interface PipelineModel {
  readonly experiment: Experiment;
  readonly stages: readonly StagePlacement[];
  readonly times: PipelineTimes;
  /** Bytes for jobs on each device, beside frozen weights and context. */
  readonly budgetBytes: readonly number[];
  /** Sizes of a kind's microbatches when its mini-batches are cut into so many. */
  readonly workload: (kind: number, microbatches: number) => AdapterWorkload;
  /** A job of a kind as the scheduler sees it. */
  readonly spec: (kind: number, changes: Pick<JobSpec, 'id'> & Partial<JobSpec>) => JobSpec;
  readonly kindOf: (spec: JobSpec) => number;
  readonly predict: PredictRound;
}

/** Rows of unequal length are averaged over this many iterations. */
const SAMPLED_ITERATIONS = 8;

export const pipelineModel = (experiment: Experiment, files: FileSizes): PipelineModel => {
  const workloads = new Map<number, readonly AdapterWorkload[]>();
  const workload = (kind: number, microbatches: number): AdapterWorkload => {
    const known = workloads.get(microbatches) ?? workloadOf({ ...experiment, schedule: { ...experiment.schedule, microbatches } }, files).adapters;
    workloads.set(microbatches, known);
    return known[kind]!;
  };
  const costOf = (placed: readonly StagePlacement[]): CostModel => costOfExperiment(experiment, placed);
  const stages = placeStages(experiment, costOf, { parts: [{ adapter: 0, ...workload(0, 1).part(0, 0) }] });
  const cost = costOf(stages);
  const { cluster, jobs } = experiment;
  const times: PipelineTimes = {
    deviceOfStage: stages.map(({ device }) => device),
    deviceCount: cluster.devices.length,
    cost,
    transferNs: (from, to, bytes) => undisturbedTransferNs(cluster, stages[from]!.device, stages[to]!.device, bytes),
  };
  const kindOf = ({ memoryKind }: JobSpec): number => jobs.findIndex(({ name }) => name === memoryKind);
  const predict: PredictRound = (specs, microbatches) => {
    const kinds = specs.map(kindOf);
    const rounds = sampledIterations(workload(kinds[0]!, 1)).map((iteration) =>
      roundTime(times, roundShapes(kinds.map((kind) => workload(kind, microbatches)), kinds, iteration), kinds),
    );
    const mean = (pick: (round: (typeof rounds)[number]) => number): number => rounds.reduce((sum, round) => sum + pick(round), 0) / rounds.length;
    return { workNs: mean(({ workNs }) => workNs), latencyNs: mean(({ latencyNs }) => latencyNs), busyNs: mean(({ busyNs }) => busyNs), tokens: mean(({ tokens }) => tokens) };
  };
  const budgetBytes = cluster.devices.map(({ gpu }, device) => {
    const { baseWeights, context, quantization } = residentBytesOf(cost, stages, device);
    return gpu.memoryBytes - baseWeights - context - quantization;
  });
  const spec: PipelineModel['spec'] = (kind, changes) => {
    const job = jobs[kind]!;
    const whole = workload(kind, 1);
    const part = whole.part(0, 0);
    return {
      user: 'all',
      priority: job.priority,
      iterations: whole.iterations,
      iterationNs: roundTime(times, [{ parts: [{ adapter: kind, ...part }] }], [kind]).workNs,
      memoryKind: job.name,
      size: { rows: job.batchSize, length: Math.round(part.tokens / part.rows) },
      ledgerBytes: ledgerBytes(times, kind, { parts: [{ adapter: kind, ...part }] }),
      ...changes,
    };
  };
  return { experiment, stages, times, budgetBytes, workload, spec, kindOf, predict };
};

const sampledIterations = ({ iterations, part }: AdapterWorkload): number[] => {
  const isEven = part(0, 0).tokens === part(1, 0).tokens && part(0, 0).squaredTokens === part(1, 0).squaredTokens;
  return Array.from({ length: isEven ? 1 : Math.min(SAMPLED_ITERATIONS, iterations) }, (_, iteration) => iteration);
};

/** Microbatches of a group's round. */
const roundShapes = (workloads: readonly AdapterWorkload[], adapters: readonly number[], iteration: number): MicrobatchShape[] => {
  const count = Math.max(...workloads.map(({ microbatches }) => microbatches));
  return Array.from({ length: count }, (_, index) => ({
    parts: workloads.flatMap(({ microbatches, part }, at) => (index < microbatches ? [{ adapter: adapters[at]!, ...part(iteration, index) }] : [])),
  }));
};

/** What a job may hold on each device: its adapter, the activations of a whole mini-batch, and what a pass over it needs. */
const ledgerBytes = ({ cost, deviceOfStage, deviceCount }: PipelineTimes, adapter: number, shape: MicrobatchShape): number[] => {
  const held = new Array<number>(deviceCount).fill(0);
  const transient = new Array<number>(deviceCount).fill(0);
  for (const [stage, device] of deviceOfStage.entries()) {
    held[device]! += adapterTotalBytes(cost, stage, adapter) + activationTotalBytes(cost, stage, shape);
    const { forward, backward } = cost.transientBytes(stage, shape);
    transient[device] = Math.max(transient[device]!, forward, backward);
  }
  return held.map((bytes, device) => bytes + transient[device]!);
};
