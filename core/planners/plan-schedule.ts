import * as E from 'fp-ts/lib/Either.js';
import { undisturbedTransferNs } from '../cluster/route.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { adapterTotalBytes, residentBytesOf, type CostModel } from '../cost-model.ts';
import type { Schedule } from '../experiment/experiment.ts';
import { lowerTransfers } from '../plan/lower-transfers.ts';
import { largestClass, memoryNeed } from '../plan/memory-need.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';
import type { Workload } from '../workload.ts';
import { planGpipe, planOneForwardOneBackward } from './barrier.ts';
import { formGroups } from './groups.ts';
import { extendLorapp, isComplete } from './lorapp.ts';
import { startLorapp, type LorappProblem } from './lorapp-state.ts';
import type { PlanError } from './plan-error.ts';
import { createPlanWriter } from './plan-writer.ts';

/** What a plan is made from. */
export interface PlanRequest {
  readonly workload: Workload;
  readonly schedule: Schedule;
  readonly cluster: Cluster;
  /** One stage per device that takes part, in pipeline order. */
  readonly stages: readonly StagePlacement[];
  readonly cost: CostModel;
}

type TransferNs = LorappProblem['transferNs'];

/** The complete plan of a run, with transfers, checked against every device's memory. */
export const planSchedule = (request: PlanRequest): E.Either<PlanError, Plan> => {
  const transferNs: TransferNs = (fromStage, toStage, bytes) =>
    undisturbedTransferNs(request.cluster, request.stages[fromStage]!.device, request.stages[toStage]!.device, bytes);
  const plan = planCompute(request, transferNs);
  const error = findMisfit(request, plan);
  return error === null ? E.right(lowerTransfers(plan, request.cost, transferNs)) : E.left(error);
};

const planCompute = (request: PlanRequest, transferNs: TransferNs): Plan => {
  const { workload, schedule, stages } = request;
  switch (schedule.type) {
    case 'gpipe':
      return planGpipe(workload, deviceNames(request), stages);
    case '1f1b':
      return planOneForwardOneBackward(workload, deviceNames(request), stages);
    case 'lorapp': {
      const problem = lorappProblem(request, transferNs);
      // Where not even one microbatch fits, the plan that ignores memory shows what is missing where.
      return planLorapp(request, problem) ?? planLorapp(request, ignoreMemory(problem))!;
    }
  }
};

const deviceNames = ({ cluster }: PlanRequest): string[] => cluster.devices.map(({ name }) => name);

/** LoRAPP from start to end; null when memory lets nothing more enter. */
const planLorapp = (request: PlanRequest, problem: LorappProblem): Plan | null => {
  const writer = createPlanWriter(request.workload, deviceNames(request), request.stages);
  const end = extendLorapp(problem, startLorapp(problem), writer);
  return isComplete(end) ? writer.build('lorapp') : null;
};

const ignoreMemory = (problem: LorappProblem): LorappProblem => ({
  ...problem,
  memoryBudgets: problem.memoryBudgets.map(() => Infinity),
  extraInFlight: 0,
});

const lorappProblem = (request: PlanRequest, transferNs: TransferNs): LorappProblem => {
  const { workload, schedule, stages, cost } = request;
  return {
    workload,
    groups: formGroups(workload, schedule.groups === 'auto' ? stages.length : schedule.groups),
    stageCount: stages.length,
    cost,
    transferNs,
    memoryBudgets: stages.map((_, stage) => memoryBudget(request, stage)),
    order: schedule.order,
    release: schedule.release,
    extraInFlight: schedule.extraInFlight,
  };
};

/** What a stage's device has left beside frozen weights, context and all adapters of the run. */
const memoryBudget = ({ workload, cluster, stages, cost }: PlanRequest, stage: number): number => {
  const { baseWeights, context, quantization } = residentBytesOf(cost, [stage]);
  const adapterBytes = workload.adapters.reduce((sum, _, adapter) => sum + adapterTotalBytes(cost, stage, adapter), 0);
  const { memoryBytes } = cluster.devices[stages[stage]!.device]!.gpu;
  return memoryBytes - baseWeights - context - quantization - adapterBytes;
};

/** The first device whose program needs more than it has. */
const findMisfit = ({ cluster, cost }: PlanRequest, plan: Plan): PlanError | null => {
  for (const [device, { name, gpu }] of cluster.devices.entries()) {
    const need = memoryNeed(plan, cost, device);
    if (need.totalBytes <= gpu.memoryBytes) continue;
    const memoryClass = largestClass(need);
    return { kind: 'doesNotFit', device: name, memoryClass, requiredBytes: need.totalBytes, capacityBytes: gpu.memoryBytes };
  }
  return null;
};
