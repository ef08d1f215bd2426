import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Gpu } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import { workloadOf, type FileSizes } from '../core/experiment/build-workload.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import { partitionLayers, type LayerCosts } from '../core/partition.ts';
import type { MicrobatchShape, Plan, StagePlacement } from '../core/plan/plan.ts';
import type { PlanError } from '../core/planners/plan-error.ts';
import { planSchedule } from '../core/planners/plan-schedule.ts';
import { opNs } from '../core/shape-costs.ts';
import type { Workload } from '../core/workload.ts';
import { analyticCost } from './analytic-cost.ts';
import type { DeviceProfile } from './device-profile.ts';

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
}

/** Cuts the model into one stage per device and plans the experiment's schedule with predicted times. */
export const planExperiment = (
  experiment: Experiment,
  { files, profileOf }: PlanExperimentOptions,
): E.Either<PlanError, PlannedExperiment> => {
  const workload = workloadOf(experiment, files);
  const costOf = (stages: readonly StagePlacement[]): CostModel => costOfExperiment(experiment, stages, profileOf);
  const stages = placeStages(experiment, costOf, firstShape(workload));
  const cost = costOf(stages);
  return pipe(
    planSchedule({ workload, schedule: experiment.schedule, cluster: experiment.cluster, stages, cost }),
    E.map((plan) => ({ plan, cost, workload })),
  );
};

/** Predicted costs of an experiment's ops on the given stages. */
export const costOfExperiment = (
  { model, jobs, precision, cluster }: Experiment,
  stages: readonly StagePlacement[],
  profileOf?: (gpu: Gpu) => DeviceProfile,
): CostModel => {
  const adapters = jobs.map(({ adapter }) => adapter);
  const optimizers = jobs.map(({ optimizer }) => optimizer);
  return analyticCost({ model, adapters, optimizers, precision, cluster, stages, ...(profileOf === undefined ? {} : { profileOf }) });
};

/** The first microbatch of the first job stands for all when layers are compared with embedding and LM head. */
const firstShape = ({ adapters }: Workload): MicrobatchShape => ({ parts: [{ adapter: 0, ...adapters[0]!.part(0, 0) }] });

const placeStages = (
  { model, cluster }: Experiment,
  costOf: (stages: readonly StagePlacement[]) => CostModel,
  shape: MicrobatchShape,
): StagePlacement[] => {
  const costs = layerCosts(costOf, shape, model.layerCount);
  return partitionLayers(costs, cluster.devices.length).map((range, device) => ({ device, ...range }));
};

/** Predicted time of a layer, of the embedding and of the LM head, read off three stages of one layer each. */
const layerCosts = (
  costOf: (stages: readonly StagePlacement[]) => CostModel,
  shape: MicrobatchShape,
  layerCount: number,
): LayerCosts => {
  const cost = costOf([0, 1, 2].map((layer) => ({ device: 0, firstLayer: layer, endLayer: layer + 1 })));
  const [first, inner, last] = [0, 1, 2].map(
    (stage) => opNs(cost.forward(stage, shape)) + opNs(cost.backward(stage, shape)),
  ) as [number, number, number];
  return {
    layers: Array.from({ length: layerCount }, () => inner),
    embedding: first - inner,
    head: last - inner,
  };
};
