import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../../core/cluster/cluster.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import { cutOf, pipelineStages, type Schedule } from '../../../core/experiment/schedule.ts';
import type { Plan, StagePlacement } from '../../../core/plan/plan.ts';
import { planSchedule } from '../../../core/planners/plan-schedule.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { placeLayers } from '../../../sim/place-stages.ts';
import { workload, type WorkloadOptions } from './workloads.ts';

/** A schedule on devices of its own, without limits of memory. */
export interface ScheduledRun extends Omit<WorkloadOptions, 'microbatches'> {
  readonly schedule: Schedule;
  readonly devices: number;
  readonly cost?: CostModel;
  readonly cluster?: Cluster;
}

export const stagesOf = ({ schedule, devices, adapters }: Pick<ScheduledRun, 'schedule' | 'devices' | 'adapters'>): StagePlacement[] => {
  const layerCount = Math.max(3, pipelineStages(schedule, devices));
  const costs = { layers: Array.from({ length: layerCount }, () => 1), embedding: 0, head: 0 };
  return placeLayers(schedule, costs, { deviceCount: devices, adapterCount: adapters, gradientBytes: 0 });
};

export const planned = ({ schedule, devices, cost = constantCost({ forwardNs: 100, backwardNs: 100 }), cluster, ...options }: ScheduledRun): Plan => {
  const plan = planSchedule({
    workload: workload({ ...options, microbatches: cutOf(schedule, devices, 1).microbatches }),
    schedule,
    cluster: cluster ?? constantCluster(devices),
    stages: stagesOf({ schedule, devices, adapters: options.adapters }),
    cost,
  });
  if (E.isLeft(plan)) throw new Error('memory is no limit here');
  return plan.right;
};
