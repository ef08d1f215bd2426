/**
 * The price of overlap: while a device sends or receives, some of its multiprocessors move data instead of computing. A
 * transfer or collective is charged to the one compute op that stands behind it in the program, unless that op waits for it
 * and so cannot run beside it. With share s of the multiprocessors gone for a time T, an op of d takes min(s·T, d·s/(1 − s))
 * longer; of the three communication streams the dearest counts.
 *
 * Prices follow from the program and the undisturbed durations, not from what happens to coincide in a run: then faster
 * links and devices never make a program slower (docs/decisions/0011).
 */
import type { Cluster, LinkTechnology } from '../../core/cluster/cluster.ts';
import { collectiveTime } from '../../core/cluster/collective-algorithm.ts';
import { undisturbedTransferNs } from '../../core/cluster/route.ts';
import { isAllReduce } from '../../core/plan/collectives.ts';
import { KIND, STREAM, STREAM_OF_KIND, STREAMS, SUBJECT_OF_KIND } from '../../core/plan/op.ts';
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
  const uses = createUses(input, device);
  /** By stream, of its ops since the last compute op: the first one's position, and what they take. */
  const first = new Int32Array(STREAMS.length).fill(NONE);
  const takenNs = new Float64Array(STREAMS.length);
  const share = new Float64Array(STREAMS.length);
  for (let position = 0; position < length; position++) {
    const stream = STREAM_OF_KIND[kind[position]!]!;
    if (stream !== STREAM.compute) {
      if (first[stream] === NONE) first[stream] = position;
      takenNs[stream]! += uses.takenNsAt(position);
      share[stream] = Math.max(share[stream]!, uses.shareAt(position));
      continue;
    }
    const opNs = costs.deviceNs[costRow(costs, kind[position]!, stage[position]!, operand[position]!)]!;
    if (opNs === 0) continue;
    let price = 0;
    for (let lane = 0; lane < first.length; lane++) {
      if (first[lane] === NONE) continue;
      const awaited = awaitedPosition(input, device, position, lane);
      let besideNs = takenNs[lane]!;
      for (let other = first[lane]!; other <= awaited; other++) {
        if (STREAM_OF_KIND[kind[other]!] === lane) besideNs -= uses.takenNsAt(other);
      }
      price = Math.max(price, Math.min(besideNs, (opNs * share[lane]!) / (1 - share[lane]!)));
      first[lane] = NONE;
      takenNs[lane] = share[lane] = 0;
    }
    prices[position] = Math.round(price);
  }
  return prices;
};

const NONE = -1;

/** A receive or collective that has ended when a compute op starts, because the op waits for it; −1 for none near. */
const awaitedPosition = ({ plan, waits }: OverlapInput, device: number, position: number, stream: number): number => {
  if (stream === STREAM.send) return NONE;
  if (stream === STREAM.collective) return waits[device]?.[position] ?? NONE;
  const { kind, stage, operand } = plan.programs[device]!;
  const wanted = kind[position] === KIND.forward ? KIND.receiveForward : KIND.receiveBackward;
  for (let other = position - 1; other >= 0 && STREAM_OF_KIND[kind[other]!] !== STREAM.compute; other--) {
    if (kind[other] === wanted && stage[other] === stage[position] && operand[other] === operand[position]) return other;
  }
  return NONE;
};

/** Multiprocessors that communication ops take, and that share of their undisturbed duration. */
interface Uses {
  readonly shareAt: (position: number) => number;
  readonly takenNsAt: (position: number) => number;
}

/** Ops of one kind, stage and shape (or adapter) take the same, so each is worked out once. */
const createUses = (input: OverlapInput, device: number): Uses => {
  const { plan, costs } = input;
  const { kind, stage, operand } = plan.programs[device]!;
  const width = Math.max(plan.shapes.length, plan.adapters.length);
  const known: (Float64Array | undefined)[] = [];
  const shares: number[] = [];
  const cellOf = (position: number): number => kind[position]! * plan.stages.length + stage[position]!;
  const shareAt = (position: number): number => (shares[cellOf(position)] ??= shareOfRoute(input.cluster, device, peerDeviceOf(input, device, position)));
  return {
    shareAt,
    takenNsAt: (position) => {
      const row = (known[cellOf(position)] ??= new Float64Array(width).fill(NaN));
      const subject = SUBJECT_OF_KIND[kind[position]!] === 'iteration' ? operand[position]! : costs.shapeOf[operand[position]!]!;
      if (Number.isNaN(row[subject]!)) row[subject] = shareAt(position) * durationNs(input, device, position);
      return row[subject]!;
    },
  };
};

/** Device at the other end of a transfer, or next in the ring of a collective. */
const peerDeviceOf = ({ plan, neighbours, collectives }: OverlapInput, device: number, position: number): number => {
  const { kind, stage } = plan.programs[device]!;
  const peer = neighbourOf(neighbours, kind[position]!, stage[position]!);
  if (peer !== null) return plan.stages[peer]!.device;
  const { members, of } = collectives.communicators;
  const ring = members[of(kind[position]!, stage[position]!)]!;
  return ring[(ring.indexOf(device) + 1) % ring.length]!;
};

const durationNs = (input: OverlapInput, device: number, position: number): number => {
  const { plan, costs, cluster, neighbours, collectives } = input;
  const { kind, stage, operand } = plan.programs[device]!;
  const peer = neighbourOf(neighbours, kind[position]!, stage[position]!);
  if (peer !== null) {
    const bytes = boundaryBytes(costs, stage[position]!, peer, operand[position]!);
    const ends = [device, plan.stages[peer]!.device] as const;
    const [from, to] = STREAM_OF_KIND[kind[position]!] === STREAM.send ? ends : ends.toReversed();
    return undisturbedTransferNs(cluster, from, to, bytes);
  }
  const group = collectives.groups[collectives.communicators.of(kind[position]!, stage[position]!)]!;
  const row = collectiveRow(costs, kind[position]!, stage[position]!, operand[position]!);
  const size = { bytes: costs.collectiveBytes[row]!, calls: costs.collectiveCalls[row]! };
  const { latencyNs, wireBytes } = collectiveTime(group, isAllReduce(kind[position]!), size);
  return latencyNs + wireBytes / group.bytesPerNs;
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
