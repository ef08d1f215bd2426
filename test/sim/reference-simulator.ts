/**
 * The simulator again, slow and obvious, for links that nobody shares: every op starts as early as what it waits for
 * allows; times are raised until nothing changes any more.
 */
import type { CostModel, ComputeCost } from '../../core/cost-model.ts';
import { STREAMS, streamOf, type Op } from '../../core/plan/op.ts';
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

  const costOf = (op: Op): ComputeCost => {
    if (op.kind === 'forward') return cost.forward(op.stage, shapeOf(op.microbatch));
    if (op.kind === 'backward') return cost.backward(op.stage, shapeOf(op.microbatch));
    return op.kind === 'step' ? cost.step(op.stage, op.adapter) : { deviceNs: 0, launchNs: 0 };
  };

  const inputEnd = (op: Op): number => {
    if (op.kind === 'forward') {
      return Math.max(end(find('receiveForward', op.stage, op.microbatch)), end(find('forward', op.stage - 1, op.microbatch)));
    }
    if (op.kind === 'backward') {
      return Math.max(
        end(find('forward', op.stage, op.microbatch)),
        end(find('receiveBackward', op.stage, op.microbatch)),
        end(find('backward', op.stage + 1, op.microbatch)),
      );
    }
    return op.kind === 'load' ? plan.arrivalsNs[op.adapter]! : 0;
  };

  const placeCompute = (item: Timed): void => {
    const { deviceNs, launchNs, firstLaunchNs = 0 } = costOf(item.op);
    const previous = before(item);
    item.hostStartNs = Math.max(previous?.hostEndNs ?? 0, previous?.startNs ?? 0);
    item.hostEndNs = launchNs > 0 ? item.hostStartNs + launchNs : (previous?.hostEndNs ?? 0);
    const launchedNs = launchNs > 0 ? item.hostStartNs + firstLaunchNs : 0;
    item.startNs = Math.max(end(previous), inputEnd(item.op), launchedNs);
    item.endNs = Math.max(item.startNs + deviceNs, item.hostEndNs);
  };

  const placeTransfer = (send: Timed): void => {
    if (!('microbatch' in send.op)) return;
    const { kind, stage, microbatch } = send.op;
    const isForward = kind === 'sendForward';
    const receive = find(isForward ? 'receiveForward' : 'receiveBackward', isForward ? stage + 1 : stage - 1, microbatch)!;
    const produced = find(isForward ? 'forward' : 'backward', stage, microbatch);
    send.startNs = Math.max(end(before(send)), end(before(receive)), end(produced));
    send.endNs = send.startNs + Math.round(cost.transferBytes(Math.min(stage, receive.op.stage), shapeOf(microbatch)) / link.bytesPerNs) + link.latencyNs;
    receive.startNs = send.startNs;
    receive.endNs = send.endNs;
  };

  const sum = (): number => all.reduce((total, item) => total + item.startNs + item.endNs + item.hostEndNs, 0);
  for (let last = NaN; last !== sum(); ) {
    last = sum();
    for (const item of all) {
      if (streamOf(item.op.kind) === 'compute') placeCompute(item);
      if (streamOf(item.op.kind) === 'send') placeTransfer(item);
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
