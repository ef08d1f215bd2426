import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import type { Cluster } from '../../core/cluster/cluster.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { KIND, STREAM, STREAM_OF_KIND } from '../../core/plan/op.ts';
import { opsOf, type Plan } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { boundaryBytes, costRow } from '../../sim/engine/cost-tables.ts';
import { createEngine, type Engine } from '../../sim/engine/engine.ts';

const SCRIPT = fileURLToPath(new URL('../../../experiments/bench/plan-peers.py', import.meta.url));
/** A Python that has simpy and torch. */
const PYTHON = process.env.MLORA_PYTHON ?? 'python3';

/** What a peer made of the plans, or why it is not there. */
export type PeerRun =
  | { readonly seconds: number; readonly results: readonly number[]; readonly version: string }
  | { readonly missing: string };

export interface PeerRuns {
  readonly simpy: PeerRun;
  readonly torch: PeerRun;
}

/** A pipeline's plan as the peers take it; collectives are beyond both. */
export interface PeerPlan {
  readonly events: number;
  /** Stream, duration, launch, first launch, event posted, events needed; times in nanoseconds. */
  readonly programs: readonly (readonly (readonly [number, number, number, number, number, readonly number[]])[])[];
  /** In PyTorch's notation. */
  readonly actions: readonly (readonly string[])[];
  readonly stageDevices: readonly number[];
}

export const peerPlan = (plan: Plan, cost: CostModel, cluster: Cluster): PeerPlan => {
  const engine = createEngine(plan, cost, cluster);
  return {
    events: 4 * plan.stages.length * plan.microbatches.length,
    programs: plan.programs.map((_, device) => opsOfDevice(engine, cluster, device)),
    actions: plan.programs.map((program) => [...opsOf(program)].flatMap((op) => ('microbatch' in op ? [formatOp(op)] : []))),
    stageDevices: plan.stages.map(({ device }) => device),
  };
};

const opsOfDevice = (engine: Engine, cluster: Cluster, device: number): PeerPlan['programs'][number] => {
  const { plan, costs, neighbours, overlapNs } = engine;
  const { length, kind: kinds, stage: stages, operand: operands } = plan.programs[device]!;
  const eventOf = (slot: number, stage: number, microbatch: number): number => (slot * plan.stages.length + stage) * plan.microbatches.length + microbatch;
  const isLocal = (stage: number): boolean => plan.stages[stage]!.device === device;
  return Array.from({ length }, (_, position) => {
    const [kind, stage, operand] = [kinds[position]!, stages[position]!, operands[position]!];
    const [previous, next] = [neighbours.previous[stage]!, neighbours.next[stage]!];
    const transfer = (from: number, to: number): number =>
      undisturbedTransferNs(cluster, plan.stages[from]!.device, plan.stages[to]!.device, boundaryBytes(costs, from, to, operand));
    const row = costRow(costs, kind, stage, operand);
    const compute = (posts: number, needs: readonly number[]) =>
      [STREAM.compute, costs.deviceNs[row]! + (overlapNs[device]?.[position] ?? 0), costs.launchNs[row]!, costs.firstLaunchNs[row]!, posts, needs] as const;
    switch (kind) {
      case KIND.forward:
        return compute(eventOf(FORWARD, stage, operand), previous < 0 ? [] : [isLocal(previous) ? eventOf(FORWARD, previous, operand) : eventOf(INPUT, stage, operand)]);
      case KIND.backward:
      case KIND.backwardInput:
        return compute(eventOf(BACKWARD, stage, operand), next < 0 ? [] : [isLocal(next) ? eventOf(BACKWARD, next, operand) : eventOf(GRADIENT, stage, operand)]);
      case KIND.sendForward:
        return [STREAM.send, transfer(stage, next), 0, 0, eventOf(INPUT, next, operand), [eventOf(FORWARD, stage, operand)]] as const;
      case KIND.sendBackward:
        return [STREAM.send, transfer(stage, previous), 0, 0, eventOf(GRADIENT, previous, operand), [eventOf(BACKWARD, stage, operand)]] as const;
      case KIND.receiveForward:
        return [STREAM_OF_KIND[kind]!, 0, 0, 0, eventOf(INPUT, stage, operand), []] as const;
      case KIND.receiveBackward:
        return [STREAM_OF_KIND[kind]!, 0, 0, 0, eventOf(GRADIENT, stage, operand), []] as const;
      default:
        return compute(-1, []);
    }
  });
};

/** Events of a stage's part of a microbatch. */
const [FORWARD, BACKWARD, INPUT, GRADIENT] = [0, 1, 2, 3];

/** Runs both peers on the plans. */
export const runPeers = (plans: readonly PeerPlan[]): PeerRuns => {
  try {
    const answer = execFileSync(PYTHON, [SCRIPT], { input: JSON.stringify(plans), encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'], maxBuffer: 2 ** 28 });
    return JSON.parse(answer) as PeerRuns;
  } catch (error) {
    const missing = `${PYTHON}: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`;
    return { simpy: { missing }, torch: { missing } };
  }
};
