/**
 * The simulator again, slow and obvious, for links that nobody shares: every op starts as early as what it waits for
 * allows; times are raised until nothing changes any more.
 */
import type { CollectiveCost, CostModel, ComputeCost } from '../../core/cost-model.ts';
import { iterationOf, operandOf, STREAMS, streamOf, type Op } from '../../core/plan/op.ts';
import { opsOf, type Plan } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';

export interface ReferenceLink {
  readonly bytesPerNs: number;
  readonly latencyNs: number;
}

interface Timed {
  readonly op: Op;
  readonly device: number;
  startNs: number;
  endNs: number;
  hostStartNs: number;
  hostEndNs: number;
}

/** Every span as `device stream op start-end`, sorted. */
export const referenceLines = (plan: Plan, cost: CostModel, link: ReferenceLink): string[] => {
  const timed = plan.programs.map((program, device) =>
    [...opsOf(program)].map((op): Timed => ({ op, device, startNs: 0, endNs: 0, hostStartNs: 0, hostEndNs: 0 })),
  );
  const all = timed.flat();
  const find = (kind: Op['kind'], stage: number, microbatch: number): Timed | undefined =>
    all.find(({ op }) => op.kind === kind && op.stage === stage && 'microbatch' in op && op.microbatch === microbatch);
  const before = (of: Timed | undefined): Timed | undefined => {
    if (of === undefined) return undefined;
    const stream = timed[of.device]!.filter(({ op }) => streamOf(op.kind) === streamOf(of.op.kind));
    return stream[stream.indexOf(of) - 1];
  };
  const end = (of: Timed | undefined): number => of?.endNs ?? 0;
  const shapeOf = (microbatch: number) => plan.shapes[plan.microbatches.shape[microbatch]!]!;
  /** End of an op if it is on this device: a collective's result is used where it was made. */
  const endHere = (device: number, kind: Op['kind'], stage: number, microbatch: number): number => {
    const found = find(kind, stage, microbatch);
    return found?.device === device ? found.endNs : 0;
  };

  const costOf = (op: Op): ComputeCost => {
    switch (op.kind) {
      case 'forward':
      case 'backward':
      case 'backwardInput':
      case 'backwardWeight':
        return cost[op.kind](op.stage, shapeOf(op.microbatch));
      case 'step':
        return cost.step(op.stage, op.adapter);
      default:
        return { deviceNs: 0, launchNs: 0 };
    }
  };

  const inputEnd = ({ op, device }: Timed): number => {
    switch (op.kind) {
      case 'forward':
        return Math.max(
          end(find('receiveForward', op.stage, op.microbatch)),
          end(find('forward', op.stage - 1, op.microbatch)),
          endHere(device, 'allGatherForward', op.stage, op.microbatch),
          endHere(device, 'allReduceForward', op.stage - 1, op.microbatch),
        );
      case 'backward':
      case 'backwardInput':
        return Math.max(
          end(find('forward', op.stage, op.microbatch)),
          end(find('receiveBackward', op.stage, op.microbatch)),
          end(find('backward', op.stage + 1, op.microbatch)),
          end(find('backwardInput', op.stage + 1, op.microbatch)),
          endHere(device, 'allGatherBackward', op.stage, op.microbatch),
          endHere(device, 'allReduceForward', op.stage, op.microbatch),
          endHere(device, 'allReduceBackward', op.stage + 1, op.microbatch),
        );
      case 'step': {
        const program = timed[device]!;
        const earlier = program.slice(0, program.findIndex((item) => item.op === op));
        return Math.max(
          0,
          ...earlier.filter((item) => isReduction(item.op) && operandOf(item.op) === op.adapter && iterationOf(item.op) === op.iteration).map(end),
        );
      }
      case 'load':
        return plan.arrivalsNs[op.adapter]!;
      default:
        return 0;
    }
  };

  const placeCompute = (item: Timed): void => {
    const { deviceNs, launchNs, firstLaunchNs = 0 } = costOf(item.op);
    const previous = before(item);
    item.hostStartNs = Math.max(previous?.hostEndNs ?? 0, previous?.startNs ?? 0);
    item.hostEndNs = launchNs > 0 ? item.hostStartNs + launchNs : (previous?.hostEndNs ?? 0);
    const launchedNs = launchNs > 0 ? item.hostStartNs + firstLaunchNs : 0;
    item.startNs = Math.max(end(previous), inputEnd(item), launchedNs);
    item.endNs = Math.max(item.startNs + deviceNs, item.hostEndNs);
  };

  const placeTransfer = (send: Timed): void => {
    if (!('microbatch' in send.op)) return;
    const { kind, stage, microbatch } = send.op;
    const isForward = kind === 'sendForward';
    const receive = find(isForward ? 'receiveForward' : 'receiveBackward', isForward ? stage + 1 : stage - 1, microbatch)!;
    const produced = isForward ? [find('forward', stage, microbatch)] : [find('backward', stage, microbatch), find('backwardInput', stage, microbatch)];
    const summed = find(isForward ? 'allReduceForward' : 'allReduceBackward', stage, microbatch);
    send.startNs = Math.max(end(before(send)), end(before(receive)), ...produced.map(end), end(summed));
    send.endNs = send.startNs + Math.round(cost.transferBytes(Math.min(stage, receive.op.stage), shapeOf(microbatch)) / link.bytesPerNs) + link.latencyNs;
    receive.startNs = send.startNs;
    receive.endNs = send.endNs;
  };

  /** The k-th collectives of the stages with the same layers, one on each device. */
  const ranksOf = (item: Timed): Timed[] => {
    const { firstLayer } = plan.stages[item.op.stage]!;
    const series = timed.map((program) =>
      program.filter(({ op }) => streamOf(op.kind) === 'collective' && plan.stages[op.stage]!.firstLayer === firstLayer),
    );
    const number = series[item.device]!.indexOf(item);
    return series.flatMap((each) => (each.length > 0 ? [each[number]!] : []));
  };

  const collectiveOf = (op: Op): CollectiveCost => {
    switch (op.kind) {
      case 'allGatherForward':
      case 'allGatherBackward':
      case 'allReduceForward':
      case 'allReduceBackward':
        return cost.microbatchCollective(op.kind, op.stage, shapeOf(op.microbatch));
      case 'allReduceGradients':
      case 'reduceScatterGradients':
        return cost.gradientCollective(op.kind, op.stage, op.adapter);
      default:
        throw new Error(`${op.kind} is no collective of a random plan`);
    }
  };

  /** A ring of r ranks moves (r − 1)/r of the tensor over each link in r − 1 steps; a sum goes round twice. */
  const placeCollective = (item: Timed): void => {
    const ranks = ranksOf(item);
    const rounds = item.op.kind.startsWith('allReduce') ? 2 : 1;
    const startNs = Math.max(
      ...ranks.map((rank) => {
        const program = timed[rank.device]!;
        const computed = program.slice(0, program.indexOf(rank)).filter(({ op }) => streamOf(op.kind) === 'compute');
        return Math.max(end(before(rank)), end(computed.at(-1)));
      }),
    );
    const moved = ranks.map(({ op }) => Math.round((rounds * collectiveOf(op).bytes * (ranks.length - 1)) / ranks.length / link.bytesPerNs));
    const latencies = ranks.map(({ op }) => rounds * (ranks.length - 1) * collectiveOf(op).calls * link.latencyNs);
    item.startNs = startNs;
    item.endNs = startNs + Math.max(...moved) + Math.max(...latencies);
  };

  const sum = (): number => all.reduce((total, item) => total + item.startNs + item.endNs + item.hostEndNs, 0);
  for (let last = NaN; last !== sum(); ) {
    last = sum();
    for (const item of all) {
      const stream = streamOf(item.op.kind);
      if (stream === 'compute') placeCompute(item);
      if (stream === 'send') placeTransfer(item);
      if (stream === 'collective') placeCollective(item);
    }
  }
  const line = (item: Timed, stream: string, startNs: number, endNs: number): string =>
    `${item.device} ${stream} ${formatOp(item.op)} ${startNs}-${endNs}`;
  return all
    .flatMap((item) => [
      line(item, STREAMS.find((stream) => stream === streamOf(item.op.kind))!, item.startNs, item.endNs),
      ...(costOf(item.op).launchNs > 0 ? [line(item, 'host', item.hostStartNs, item.hostEndNs)] : []),
    ])
    .sort();
};

const isReduction = ({ kind }: Op): boolean => kind === 'allReduceGradients' || kind === 'reduceScatterGradients';
