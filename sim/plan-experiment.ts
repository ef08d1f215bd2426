import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Cluster, Gpu } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import { workloadOf, type FileSizes } from '../core/experiment/build-workload.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import { sharingOf } from '../core/experiment/schedule.ts';
import type { LayerCosts } from '../core/partition.ts';
import type { MicrobatchShape, Plan, StagePlacement } from '../core/plan/plan.ts';
import type { PipelineOrder } from '../core/planners/pipeline-orders.ts';
import type { PlanError } from '../core/planners/plan-error.ts';
import { planSchedule } from '../core/planners/plan-schedule.ts';
import { opNs } from '../core/shape-costs.ts';
import { adapterLayerParameters } from '../core/work/lora.ts';
import type { Workload } from '../core/workload.ts';
import { analyticCost, type KnownDevices } from './analytic-cost.ts';
import type { AnalyticCostOptions } from './device-times.ts';
import type { DeviceProfile } from './device-profile.ts';
import { findExtrapolations } from './extrapolations.ts';
import { placeLayers } from './place-stages.ts';

/** A plan together with the predictions it was made from. */
export interface PlannedExperiment {
  readonly plan: Plan;
  readonly cost: CostModel;
  readonly workload: Workload;
}

export interface PlanExperimentOptions {
  /** Sizes of the rows in the jobs' files; not asked for synthetic lengths. */
  readonly files: FileSizes;
  /** Replaces the profiles that ship with the project. */
  readonly profileOf?: (gpu: Gpu) => DeviceProfile;
  /** Order of a mini-batch's passes instead of the schedule's own. */
  readonly order?: PipelineOrder;
}

/**
 * Cuts the model into the stages that the schedule wants and plans the experiment's schedule with predicted times. With `recompute:
 * auto` the stages of a device that lacks memory recompute, one device after the other, until the plan fits or none is left.
 */
export const planExperiment = (
  experiment: Experiment,
  { files, profileOf, order }: PlanExperimentOptions,
): E.Either<PlanError, PlannedExperiment> => {
  const workload = workloadOf(experiment, files);
  const devices: KnownDevices = new Map();
  const costOf = (stages: readonly StagePlacement[]): CostModel => analyticCost(costOptions(experiment, stages, profileOf), devices);
  const planOn = (stages: readonly StagePlacement[]): E.Either<PlanError, PlannedExperiment> => {
    const cost = costOf(stages);
    return pipe(
      planSchedule({ workload, schedule: experiment.schedule, cluster: experiment.cluster, stages, cost, ...(order === undefined ? {} : { order }) }),
      E.map((plan) => ({ plan, cost, workload })),
    );
  };
  const { recompute } = experiment.schedule;
  const stages = placeStages(experiment, costOf, firstShape(workload));
  return recompute === 'auto' ? recomputeWhereNeeded(experiment.cluster, stages, planOn) : planOn(stages);
};

const recomputeWhereNeeded = (
  cluster: Cluster,
  stages: readonly StagePlacement[],
  planOn: (stages: readonly StagePlacement[]) => E.Either<PlanError, PlannedExperiment>,
): E.Either<PlanError, PlannedExperiment> => {
  const planned = planOn(stages);
  if (E.isRight(planned)) return planned;
  const short = cluster.devices.findIndex(({ name }) => name === planned.left.device);
  const isShort = ({ device, recompute }: StagePlacement): boolean => device === short && recompute !== true;
  return stages.some(isShort)
    ? recomputeWhereNeeded(cluster, stages.map((stage) => (isShort(stage) ? { ...stage, recompute: true } : stage)), planOn)
    : planned;
};

/** What times and bytes of an experiment depend on. */
export type PricedSetting = Pick<Experiment, 'model' | 'jobs' | 'precision' | 'baseWeights' | 'attention' | 'elementwise' | 'cluster' | 'schedule'>;

/** Predicted costs of an experiment's ops on the given stages. */
export const costOfExperiment = (
  experiment: PricedSetting,
  stages: readonly StagePlacement[],
  profileOf?: (gpu: Gpu) => DeviceProfile,
): CostModel => analyticCost(costOptions(experiment, stages, profileOf));

/** What the predictions of a plan rest on beyond measured kernels; a sentence each. */
export const extrapolationsOfPlan = (
  experiment: Experiment,
  { stages, shapes }: Plan,
  profileOf?: (gpu: Gpu) => DeviceProfile,
): string[] => findExtrapolations(costOptions(experiment, stages, profileOf), shapes);

const costOptions = (
  { model, jobs, precision, baseWeights, attention, elementwise, cluster, schedule }: PricedSetting,
  stages: readonly StagePlacement[],
  profileOf?: (gpu: Gpu) => DeviceProfile,
): AnalyticCostOptions => ({
  model,
  adapters: jobs.map(({ adapter }) => adapter),
  optimizers: jobs.map(({ optimizer }) => optimizer),
  precision,
  baseWeights,
  attention,
  ...(elementwise === 'auto' ? {} : { elementwise }),
  cluster,
  stages,
  sharing: sharingOf(schedule, cluster.devices.length),
  ...(profileOf === undefined ? {} : { profileOf }),
});

/** The first microbatch of the first job stands for all when layers are compared with embedding and LM head. */
const firstShape = ({ adapters }: Workload): MicrobatchShape => ({ parts: [{ adapter: 0, ...adapters[0]!.part(0, 0) }] });

const FP32_BYTES = 4;

/** The stages of an experiment, by what the shape costs on each layer. */
export const placeStages = (
  { model, jobs, cluster, schedule }: PricedSetting,
  costOf: (stages: readonly StagePlacement[]) => CostModel,
  shape: MicrobatchShape,
): StagePlacement[] => {
  const recompute = schedule.recompute === 'full' ? { recompute: true } : {};
  const single = [0, 1, 2].map((layer) => ({ device: 0, firstLayer: layer, endLayer: layer + 1, ...recompute }));
  const costs = layerCosts(costOf(single), shape, model.layerCount);
  const sizes = jobs.map(({ adapter }) => model.layerCount * adapterLayerParameters({ model }, adapter));
  const options = { deviceCount: cluster.devices.length, adapterCount: jobs.length, gradientBytes: FP32_BYTES * Math.max(...sizes) };
  return placeLayers(schedule, costs, options).map((stage) => ({ ...stage, ...recompute }));
};

/** Predicted time of a layer, of the embedding and of the LM head, read off three stages of one layer each. */
const layerCosts = (cost: CostModel, shape: MicrobatchShape, layerCount: number): LayerCosts => {
  const [first, inner, last] = [0, 1, 2].map(
    (stage) => opNs(cost.forward(stage, shape)) + opNs(cost.backward(stage, shape)),
  ) as [number, number, number];
  return {
    layers: Array.from({ length: layerCount }, () => inner),
    embedding: first - inner,
    head: last - inner,
  };
};
