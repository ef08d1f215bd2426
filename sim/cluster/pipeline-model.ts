/** A pipeline and the kinds of jobs that come to it, from an experiment: each of its jobs is a kind. */
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import { residentBytesOf, type CostModel } from '../../core/cost-model.ts';
import { workloadOf, type FileSizes } from '../../core/experiment/build-workload.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import { jobBytes, meanRoundTime, roundTime, type PipelineTimes } from '../../core/planners/round-time.ts';
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
    return meanRoundTime(times, kinds.map((kind) => workload(kind, microbatches)), kinds);
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
      ledgerBytes: jobBytes(times, kind, { parts: [{ adapter: kind, ...part }] }),
      ...changes,
    };
  };
  return { experiment, stages, times, budgetBytes, workload, spec, kindOf, predict };
};
