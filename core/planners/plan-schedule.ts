import * as E from 'fp-ts/lib/Either.js';
import { undisturbedTransferNs } from '../cluster/route.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { adapterTotalBytes, residentBytesOf, type CostModel } from '../cost-model.ts';
import { pipelineStages, type InstancesSchedule, type LorappSchedule, type Schedule } from '../experiment/schedule.ts';
import { assertNever } from '../never.ts';
import { foldDevices } from '../plan/fold-devices.ts';
import { lowerTransfers } from '../plan/lower-transfers.ts';
import { largestClass, memoryNeed } from '../plan/memory-need.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';
import type { Workload } from '../workload.ts';
import {
  arrivalOrder,
  planGpipe,
  planInOrder,
  planInterleaved,
  planOneForwardOneBackward,
  planZeroBubble,
  planZeroBubbleV,
  type PlanBarrier,
} from './barrier.ts';
import { formGroups, type Group } from './groups.ts';
import { planInstances } from './instances.ts';
import { extendLorapp, isComplete } from './lorapp.ts';
import type { PipelineOrder } from './pipeline-orders.ts';
import { startLorapp, type LorappProblem } from './lorapp-state.ts';
import type { PlanError } from './plan-error.ts';
import { createPlanWriter } from './plan-writer.ts';
import { ALONE, DATA_PARALLEL, planRanks, sharded, TENSOR_PARALLEL, type RankStyle } from './ranks.ts';

/** What a plan is made from. */
export interface PlanRequest {
  readonly workload: Workload;
  readonly schedule: Schedule;
  readonly cluster: Cluster;
  /** As the schedule wants them: see `placeStages` in sim/place-stages.ts. */
  readonly stages: readonly StagePlacement[];
  readonly cost: CostModel;
  /** Order of a mini-batch's passes in the place of the one that a closed-form pipeline schedule has. */
  readonly order?: PipelineOrder;
}

type TransferNs = LorappProblem['transferNs'];

/** The complete plan of a run, with transfers, checked against every device's memory. */
export const planSchedule = (request: PlanRequest): E.Either<PlanError, Plan> => {
  const { schedule } = request;
  return schedule.type === 'instances' && schedule.count === 'auto' ? planMostInstances(request, schedule) : planFitting(request);
};

const planFitting = (request: PlanRequest): E.Either<PlanError, Plan> => {
  const transferNs: TransferNs = (fromStage, toStage, bytes) =>
    undisturbedTransferNs(request.cluster, request.stages[fromStage]!.device, request.stages[toStage]!.device, bytes);
  const plan = planCompute(request, transferNs);
  const error = findMisfit(request, plan);
  return error === null ? E.right(lowerTransfers(plan, request.cost, transferNs)) : E.left(error);
};

/** The stages are those of the largest useful number of instances; as many of them are used as memory holds. */
const planMostInstances = (request: PlanRequest, schedule: InstancesSchedule): E.Either<PlanError, Plan> => {
  const stagesOfInstance = pipelineStages(schedule, request.cluster.devices.length);
  let { stages } = request;
  for (;;) {
    const planned = planFitting({ ...request, stages });
    if (E.isRight(planned) || stages.length <= stagesOfInstance) return planned;
    stages = stages.slice(0, stages.length - stagesOfInstance);
  }
};

const planCompute = (request: PlanRequest, transferNs: TransferNs): Plan => {
  const { schedule } = request;
  switch (schedule.type) {
    case 'gpipe':
      return planPipeline(request, planGpipe, transferNs);
    case '1f1b':
      return planPipeline(request, planOneForwardOneBackward, transferNs);
    case 'interleaved':
      return planPipeline(request, planInterleaved(schedule.chunks), transferNs);
    case 'zb-h1':
      return planPipeline(request, planZeroBubble, transferNs);
    case 'zb-v':
      return planPipeline(request, planZeroBubbleV, transferNs);
    case 'lorapp': {
      const problem = lorappProblem(request, schedule, transferNs);
      // Where not even one microbatch fits, the plan that ignores memory shows what is missing where.
      return planLorapp(request, problem) ?? planLorapp(request, ignoreMemory(problem))!;
    }
    case 'single':
      return planOnRanks(request, schedule.groups, ALONE);
    case 'data-parallel':
      return planOnRanks(request, schedule.groups, DATA_PARALLEL);
    case 'fsdp':
      return planOnRanks(request, schedule.groups, sharded(schedule));
    case 'tensor-parallel':
      return planOnRanks(request, schedule.groups, TENSOR_PARALLEL);
    case 'instances': {
      const { workload, stages, cost, cluster } = request;
      return planInstances({ workload, devices: deviceNames(request), stages, stagesOfInstance: pipelineStages(schedule, cluster.devices.length), cost, transferNs });
    }
    default:
      return assertNever(schedule);
  }
};

const deviceNames = ({ cluster }: PlanRequest): string[] => cluster.devices.map(({ name }) => name);

/**
 * A pipeline in closed form. With the loss at the head its last stage shares the first device, which the closed form
 * does not know: it is planned for a device of its own, and goes in between as data arrives.
 */
const planPipeline = (request: PlanRequest, plan: PlanBarrier, transferNs: TransferNs): Plan => {
  const { workload, stages, cost } = request;
  const devices = deviceNames(request);
  const { schedule, order } = request;
  if (order !== undefined) return planInOrder(schedule.type, order)(workload, devices, stages);
  if (!('loss' in schedule) || schedule.loss === 'tail') return plan(workload, devices, stages);
  const alone = stages.map((stage, device) => ({ ...stage, device }));
  const unfolded = plan(workload, [...devices, 'loss'], alone);
  return foldDevices(unfolded, { devices, deviceOf: stages.map(({ device }) => device) }, cost, transferNs);
};

/** Ranks take the first devices of the cluster, as many as there are pipelines in the placement. */
const planOnRanks = (request: PlanRequest, groups: 'auto' | number, style: RankStyle): Plan => {
  const { workload, schedule, stages } = request;
  const devices = deviceNames(request).slice(0, 1 + Math.max(...stages.map(({ device }) => device)));
  return planRanks({
    schedule: schedule.type,
    workload,
    devices,
    stages,
    groups: groupsInTurn(workload, groups),
    sharesRows: schedule.type === 'data-parallel' || schedule.type === 'fsdp',
    style,
  });
};

/** Groups by the arrival of their first adapter; `auto` puts every adapter into one of its own. */
const groupsInTurn = (workload: Workload, groups: 'auto' | number): Group[] => {
  const order = arrivalOrder(workload);
  const formed = formGroups(workload, groups === 'auto' ? order.length : groups);
  const turnOf = (group: Group): number => Math.min(...group.map((adapter) => order.indexOf(adapter)));
  return formed.sort((a, b) => turnOf(a) - turnOf(b));
};

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

const lorappProblem = (request: PlanRequest, schedule: LorappSchedule, transferNs: TransferNs): LorappProblem => {
  const { workload, stages, cluster, cost } = request;
  return {
    workload,
    groups: formGroups(workload, schedule.groups === 'auto' ? cluster.devices.length : schedule.groups),
    deviceOfStage: stages.map(({ device }) => device),
    cost,
    transferNs,
    memoryBudgets: cluster.devices.map((_, device) => memoryBudget(request, device)),
    order: schedule.order,
    release: schedule.release,
    extraInFlight: schedule.extraInFlight,
  };
};

/** What a device has left beside frozen weights, context and all adapters of the run. */
const memoryBudget = ({ workload, cluster, stages, cost }: PlanRequest, device: number): number => {
  const own = [...stages.keys()].filter((stage) => stages[stage]!.device === device);
  const { baseWeights, context, quantization } = residentBytesOf(cost, stages, device);
  const adapterBytes = own
    .flatMap((stage) => workload.adapters.map((_, adapter) => adapterTotalBytes(cost, stage, adapter)))
    .reduce((sum, bytes) => sum + bytes, 0);
  return cluster.devices[device]!.gpu.memoryBytes - baseWeights - context - quantization - adapterBytes;
};

/** The first device whose program needs more than it has. */
const findMisfit = ({ cluster, cost }: PlanRequest, plan: Plan): PlanError | null => {
  for (const device of plan.programs.keys()) {
    const { name, gpu } = cluster.devices[device]!;
    const need = memoryNeed(plan, cost, device);
    if (need.totalBytes <= gpu.memoryBytes) continue;
    const memoryClass = largestClass(need);
    return { kind: 'doesNotFit', device: name, memoryClass, requiredBytes: need.totalBytes, capacityBytes: gpu.memoryBytes };
  }
  return null;
};
