import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../core/cluster/cluster.ts';
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { lowerTransfers } from '../../core/plan/lower-transfers.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import { planOneForwardOneBackward } from '../../core/planners/barrier.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { PartSize } from '../../core/workload.ts';
import { formatDeadlock } from '../../sim/engine/deadlock.ts';
import { simulate } from '../../sim/engine/simulate.ts';

/** One iteration of one set of weights under 1F1B. */
export interface BarrierRun {
  /** One per device of the cluster that takes part. */
  readonly stages: readonly StagePlacement[];
  readonly microbatches: number;
  /** Size of every microbatch. */
  readonly part: PartSize;
  readonly cost: CostModel;
  readonly cluster: Cluster;
}

/** Plans and simulates the iteration; from its first forward to its last optimizer step, in nanoseconds. */
export const simulateOneForwardOneBackward = ({ stages, microbatches, part, cost, cluster }: BarrierRun): number => {
  const adapter = { name: 'weights', iterations: 1, microbatches, arrivalNs: 0, priority: 0, part: () => part };
  const devices = stages.map(({ device }) => cluster.devices[device]!.name);
  const plan = lowerTransfers(planOneForwardOneBackward({ adapters: [adapter] }, devices, stages), cost, (from, to, bytes) =>
    undisturbedTransferNs(cluster, stages[from]!.device, stages[to]!.device, bytes),
  );
  const trace = simulate(plan, cost, cluster);
  if (E.isLeft(trace)) throw new Error(formatDeadlock(trace.left));
  return makespanNs(trace.right);
};
