import type { CostModel } from '../cost-model.ts';
import { foldDevices } from '../plan/fold-devices.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';
import type { Workload } from '../workload.ts';
import { arrivalOrder, writeAdapters } from './barrier.ts';
import { formGroups } from './groups.ts';
import { oneForwardOneBackwardOrder } from './pipeline-orders.ts';
import { createPlanWriter } from './plan-writer.ts';

export interface InstancesRequest {
  readonly workload: Workload;
  readonly devices: readonly string[];
  /** Stages of the first instance, of the second, …; each instance is a pipeline of its own. */
  readonly stages: readonly StagePlacement[];
  readonly stagesOfInstance: number;
  readonly cost: CostModel;
  readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
}

/**
 * 1F1B pipelines side by side, each with base weights and adapters of its own: every one runs as if its devices were its
 * own, and where several want a device, the one that has waited longest goes first.
 */
export const planInstances = ({ workload, devices, stages, stagesOfInstance, cost, transferNs }: InstancesRequest): Plan => {
  const alone = stages.map((stage, device) => ({ ...stage, device }));
  const writer = createPlanWriter(workload, stages.map((_, device) => `${device}`), alone);
  const order = arrivalOrder(workload);
  for (const [pipeline, adapters] of formGroups(workload, stages.length / stagesOfInstance).entries()) {
    writeAdapters(
      writer,
      workload,
      order.filter((adapter) => adapters.includes(adapter)),
      {
        pipeline,
        firstStage: pipeline * stagesOfInstance,
        orderOf: (microbatches) => oneForwardOneBackwardOrder(stagesOfInstance, microbatches),
      },
    );
  }
  return foldDevices(writer.build('instances'), { devices, deviceOf: stages.map(({ device }) => device) }, cost, transferNs);
};
