import type { Cluster } from '../../../core/cluster/cluster.ts';
import { undisturbedTransferNs } from '../../../core/cluster/route.ts';
import type { ComputeCost, CostModel } from '../../../core/cost-model.ts';
import { KIND, STREAM } from '../../../core/plan/op.ts';
import { neighboursOf } from '../../../core/plan/pipelines.ts';
import type { MicrobatchShape, Plan } from '../../../core/plan/plan.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { nanoseconds } from '../../../core/units.ts';

/** A cost model under which compute waits for transfers, and how long it waits in a trace of it. */
export interface BlockedRun {
  readonly cost: CostModel;
  readonly cluster: Cluster;
  readonly blockedNs: (trace: Trace) => number;
}

/**
 * No overlap of communication, as the paper writes its step latency (section 3.2.3): a stage that receives, computes and
 * sends one after the other spends 2C_S + 2C_R + D_F + D_B on a microbatch. Every pass takes its transfers in and out as
 * time of its own, and the transfers themselves take none.
 */
export const blockTransfers = (plan: Plan, cost: CostModel, cluster: Cluster): BlockedRun => {
  const { previous, next } = neighboursOf(plan.stages);
  /** The boundary behind the lower stage is crossed in both directions by as many bytes. */
  const transferNs = (from: number, to: number, shape: MicrobatchShape): number =>
    from < 0 || to < 0
      ? 0
      : undisturbedTransferNs(cluster, plan.stages[from]!.device, plan.stages[to]!.device, cost.transferBytes(Math.min(from, to), shape));
  const waitNs = (stage: number, shape: MicrobatchShape): number =>
    transferNs(previous[stage]!, stage, shape) + transferNs(stage, next[stage]!, shape);
  const blocked =
    (compute: CostModel['forward']): CostModel['forward'] =>
    (stage, shape): ComputeCost => {
      const { deviceNs, ...rest } = compute(stage, shape);
      return { ...rest, deviceNs: deviceNs + waitNs(stage, shape) };
    };
  return {
    cost: { ...cost, forward: blocked(cost.forward), backward: blocked(cost.backward), transferBytes: () => 0 },
    cluster: { ...cluster, links: cluster.links.map((link) => ({ ...link, latencyNs: nanoseconds(0) })) },
    blockedNs: (trace) => sumOverPasses(trace, (stage, shape) => waitNs(stage, plan.shapes[shape]!)),
  };
};

const sumOverPasses = ({ spans, plan }: Trace, waitNs: (stage: number, shape: number) => number): number => {
  let sum = 0;
  for (let row = 0; row < spans.length; row++) {
    const isPass = spans.kind[row] === KIND.forward || spans.kind[row] === KIND.backward;
    // Launches on the host stream have the kinds of their ops.
    if (isPass && spans.stream[row] === STREAM.compute) sum += waitNs(spans.stage[row]!, plan.microbatches.shape[spans.operand[row]!]!);
  }
  return sum;
};
