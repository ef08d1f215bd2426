import * as E from 'fp-ts/lib/Either.js';
import type { CostModel } from '../../core/cost-model.ts';
import type { Schedule } from '../../core/experiment/schedule.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { planSchedule } from '../../core/planners/plan-schedule.ts';
import type { PartSize, Workload } from '../../core/workload.ts';
import { constantCluster } from '../../sim/constant-cost.ts';
import { simulate } from '../../sim/engine/simulate.ts';

/** A made-up run for closed-form checks: D devices, L adapters of N microbatches, communication free. */
export interface SyntheticRun {
  readonly devices: number;
  readonly adapters: number;
  readonly iterations: number;
  readonly schedule: Schedule;
  readonly cost: CostModel;
  readonly part: (adapter: number, iteration: number, index: number) => PartSize;
}

export const UNIT_PART: PartSize = { rows: 1, tokens: 1, squaredTokens: 1 };

const workloadOf = ({ adapters, iterations, schedule, part }: SyntheticRun): Workload => ({
  adapters: Array.from({ length: adapters }, (_, adapter) => ({
    name: `adapter-${adapter}`,
    iterations,
    microbatches: schedule.microbatches,
    arrivalNs: 0,
    priority: 0,
    part: (iteration, index) => part(adapter, iteration, index),
  })),
});

/** Plans and simulates; returns the makespan in nanoseconds. */
export const simulatedMakespan = (run: SyntheticRun): number => {
  const cluster = constantCluster(run.devices);
  const stages = cluster.devices.map((_, device) => ({ device, firstLayer: device, endLayer: device + 1 }));
  const plan = planSchedule({ workload: workloadOf(run), schedule: run.schedule, cluster, stages, cost: run.cost });
  if (E.isLeft(plan)) throw new Error(formatPlanError(plan.left));
  const trace = simulate(plan.right, run.cost, cluster);
  if (E.isLeft(trace)) throw new Error('deadlock');
  return trace.right.spans.endNs.reduce((latest, endNs) => Math.max(latest, endNs), 0);
};
