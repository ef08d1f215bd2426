/**
 * The price of overlap: while a device sends or receives, some of its multiprocessors move data instead of computing. A
 * transfer or collective is charged to the one compute op that stands behind it in the program, unless that op waits for it
 * and so cannot run beside it. With share s of the multiprocessors gone for a time T, an op of d takes min(s·T, d·s/(1 − s))
 * longer; of the three communication streams the dearest counts.
 *
 * Prices follow from the program and the undisturbed durations, not from what happens to coincide in a run: then faster
 * links and devices never make a program slower (docs/decisions/0007).
 */
import type { Cluster, LinkTechnology } from '../../core/cluster/cluster.ts';
import { collectiveTime } from '../../core/cluster/collective-algorithm.ts';
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import { isAllReduce } from '../../core/plan/collectives.ts';
import { KIND, STREAM, STREAM_OF_KIND, STREAMS } from '../../core/plan/op.ts';
import type { Neighbours } from '../../core/plan/pipelines.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { CollectiveState } from './collective-state.ts';
import { boundaryBytes, collectiveRow, costRow, type CostTables } from './cost-tables.ts';

/**
 * Share of a GPU's multiprocessors that traffic takes (Isaev et al. 2023, Calculon: 15 % for NVLink, 2 % for the network;
 * PCIe is taken to be like the network, because NCCL moves its few GB/s with as few channels).
 */
const COMPUTE_SHARE: Readonly<Record<LinkTechnology, number>> = { nvlink: 0.15, network: 0.02, pcie: 0.02 };

export interface OverlapInput {
  readonly plan: Plan;
  readonly costs: CostTables;
  readonly cluster: Cluster;
  readonly neighbours: Neighbours;
  readonly waits: readonly Int32Array[];
  readonly collectives: CollectiveState;
}

/** By device and position: what an op takes longer for what moves beside it. Empty where no link takes multiprocessors. */
export const overlapPrices = (input: OverlapInput): readonly Float64Array[] =>
  input.cluster.links.some(({ technology }) => technology !== undefined) ? input.plan.programs.map((_, device) => pricesOn(input, device)) : [];

const pricesOn = (input: OverlapInput, device: number): Float64Array => {
  const { plan, costs } = input;
  const { length, kind, stage, operand } = plan.programs[device]!;
  const prices = new Float64Array(length);
  const useOf = createUses(input);
  /** By stream: positions of the communication ops since the last compute op. */
  const open = STREAMS.map((): number[] => []);
  for (let position = 0; position < length; position++) {
    const stream = STREAM_OF_KIND[kind[position]!]!;
    if (stream !== STREAM.compute) {
      open[stream]!.push(position);
      continue;
    }
    const opNs = costs.deviceNs[costRow(costs, kind[position]!, stage[position]!, operand[position]!)]!;
    if (opNs === 0) continue;
    for (const [lane, positions] of open.entries()) {
      if (positions.length === 0) continue;
      const awaited = awaitedPosition(input, device, { position, stream: lane, positions });
      const beside = positions.filter((other) => other > awaited).map((other) => useOf(device, other));
      prices[position] = Math.max(prices[position]!, priceOf(opNs, beside));
      positions.length = 0;
    }
    prices[position] = Math.round(prices[position]!);
  }
  return prices;
};

const priceOf = (opNs: number, uses: readonly Use[]): number => {
  const share = uses.reduce((most, use) => Math.max(most, use.share), 0);
  const takenNs = uses.reduce((sum, use) => sum + use.share * use.durationNs, 0);
  return Math.min(takenNs, (opNs * share) / (1 - share));
};

/** Of the ops of a stream that stand before a compute op, the last one that has ended when it starts; −1 for none. */
const awaitedPosition = (
  { plan, waits }: OverlapInput,
  device: number,
  { position, stream, positions }: { readonly position: number; readonly stream: number; readonly positions: readonly number[] },
): number => {
  if (stream === STREAM.collective) return waits[device]?.[position] ?? -1;
  if (stream !== STREAM.receive) return -1;
  const { kind, stage, operand } = plan.programs[device]!;
  const wanted = kind[position] === KIND.forward ? KIND.receiveForward : KIND.receiveBackward;
  return positions.findLast((other) => kind[other] === wanted && stage[other] === stage[position] && operand[other] === operand[position]) ?? -1;
};

interface Use {
  readonly share: number;
  readonly durationNs: number;
}

/** Share and undisturbed duration of a transfer or collective; the same for all of one row and route. */
const createUses = ({ plan, costs, cluster, neighbours, collectives }: OverlapInput): ((device: number, position: number) => Use) => {
  const known = new Map<number, Use>();
  const transfer = (from: number, to: number, bytes: number): Use => ({
    share: shareOfRoute(cluster, from, to),
    durationNs: undisturbedTransferNs(cluster, from, to, bytes),
  });
  const collective = (device: number, position: number): Use => {
    const { kind, stage, operand } = plan.programs[device]!;
    const communicator = collectives.communicators.of(kind[position]!, stage[position]!);
    const members = collectives.communicators.members[communicator]!;
    const group = collectives.groups[communicator]!;
    const row = collectiveRow(costs, kind[position]!, stage[position]!, operand[position]!);
    const size = { bytes: costs.collectiveBytes[row]!, calls: costs.collectiveCalls[row]! };
    const { latencyNs, wireBytes } = collectiveTime(group, isAllReduce(kind[position]!), size);
    const next = members[(members.indexOf(device) + 1) % members.length]!;
    return { share: shareOfRoute(cluster, device, next), durationNs: latencyNs + wireBytes / group.bytesPerNs };
  };
  const find = (device: number, position: number): Use => {
    const { kind, stage, operand } = plan.programs[device]!;
    const at = stage[position]!;
    const peer = neighbourOf(neighbours, kind[position]!, at);
    if (peer === null) return collective(device, position);
    const other = plan.stages[peer]!.device;
    const bytes = boundaryBytes(costs, at, peer, operand[position]!);
    return STREAM_OF_KIND[kind[position]!] === STREAM.send ? transfer(device, other, bytes) : transfer(other, device, bytes);
  };
  return (device, position) => {
    const key = keyOf(plan, costs, device, position);
    let use = known.get(key);
    if (use === undefined) known.set(key, (use = find(device, position)));
    return use;
  };
};

/** Ops of one device, kind, stage and shape (or adapter) take the same. */
const keyOf = ({ programs, stages, shapes, adapters }: Plan, { shapeOf }: CostTables, device: number, position: number): number => {
  const { kind, stage, operand } = programs[device]!;
  const width = Math.max(shapes.length, adapters.length);
  const isReduction = kind[position] === KIND.allReduceGradients || kind[position] === KIND.reduceScatterGradients || kind[position] === KIND.allReduceNorm;
  const subject = isReduction ? operand[position]! : shapeOf[operand[position]!]!;
  return (kind[position]! * stages.length + stage[position]!) * width + subject;
};

/** The stage at the other end of a transfer; null for a collective. */
const neighbourOf = ({ previous, next }: Neighbours, kind: number, stage: number): number | null => {
  switch (kind) {
    case KIND.sendForward:
    case KIND.receiveBackward:
      return next[stage]!;
    case KIND.sendBackward:
    case KIND.receiveForward:
      return previous[stage]!;
    default:
      return null;
  }
};

const shareOfRoute = ({ routes, links }: Cluster, from: number, to: number): number =>
  Math.max(
    0,
    ...(routes[from]?.[to] ?? []).map((link) => {
      const { technology } = links[link]!;
      return technology === undefined ? 0 : COMPUTE_SHARE[technology];
    }),
  );
