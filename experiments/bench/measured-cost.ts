import type { ComputeCost, CostModel } from '../../core/cost-model.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';

/**
 * The cost model of ops as they were measured: the shortest time of each over runs of one plan, and the program's time
 * around a pass. What it is not asked about is the base's.
 */
export const measuredCost = (base: CostModel, traces: readonly Trace[], perPassNs: number): CostModel => {
  const [{ plan }] = traces as readonly [Trace, ...Trace[]];
  const shortest = new Map<string, number>();
  for (const trace of traces) noteTimes(trace, shortest);
  const shapeNumbers = new Map(plan.shapes.map((shape, number) => [shape, number]));
  const cost = (kind: number, stage: number, subject: number, extraNs: number): ComputeCost => {
    const ns = shortest.get(keyOf(kind, stage, subject));
    if (ns === undefined) throw new Error(`op kind ${kind} on stage ${stage} was not measured`);
    return { deviceNs: ns + extraNs, launchNs: 0 };
  };
  return {
    ...base,
    forward: (stage, shape) => cost(KIND.forward, stage, shapeNumbers.get(shape)!, perPassNs),
    backward: (stage, shape) => cost(KIND.backward, stage, shapeNumbers.get(shape)!, perPassNs),
    step: (stage, adapter) => cost(KIND.step, stage, adapter, 0),
  };
};

const keyOf = (kind: number, stage: number, subject: number): string => [kind, stage, subject].join();

/** Ops of a kind and stage are told apart by their shape, steps by their adapter. */
const noteTimes = ({ spans, plan }: Trace, shortest: Map<string, number>): void => {
  for (let row = 0; row < spans.length; row++) {
    const kind = spans.kind[row]!;
    if (spans.stream[row] !== STREAM.compute || kind > KIND.step) continue;
    const operand = spans.operand[row]!;
    const key = keyOf(kind, spans.stage[row]!, kind === KIND.step ? operand : plan.microbatches.shape[operand]!);
    shortest.set(key, Math.min(shortest.get(key) ?? Infinity, spans.endNs[row]! - spans.startNs[row]!));
  }
};
