import { firstIterationOf, type Workload } from '../workload.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';
import { createPlanWriter, type PlanWriter, type Turn } from './plan-writer.ts';

/**
 * Closed-form schedules with a barrier at each iteration: one adapter at a time, its whole mini-batch in and out of the
 * pipeline before its weights change. They differ in the order of one stage's forwards and backwards only.
 */

/** Order of one stage's ops for `microbatches` microbatches: index and direction. */
type StageOrder = (stage: number, stageCount: number, microbatches: number) => readonly BarrierOp[];

interface BarrierOp {
  /** `evaluation` is the forward of all held-out microbatches. */
  readonly direction: 'forward' | 'backward' | 'evaluation';
  readonly index: number;
}

const forward = (index: number): BarrierOp => ({ direction: 'forward', index });
const backward = (index: number): BarrierOp => ({ direction: 'backward', index });
const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** All forwards, then all backwards (Huang et al. 2019). */
const gpipeOrder: StageOrder = (_stage, _stageCount, microbatches) => [
  ...indices(microbatches).map(forward),
  ...indices(microbatches).map(backward),
];

/** Warm-up forwards, then one forward and one backward in turn, then the remaining backwards (Narayanan et al. 2019). */
const oneForwardOneBackwardOrder: StageOrder = (stage, stageCount, microbatches) => {
  const warmUp = Math.min(microbatches, stageCount - 1 - stage);
  return [
    ...indices(warmUp).map(forward),
    ...indices(microbatches - warmUp).flatMap((index) => [forward(warmUp + index), backward(index)]),
    ...indices(warmUp).map((index) => backward(microbatches - warmUp + index)),
  ];
};

/**
 * Held-out rows pass a stage while it waits for gradients: after its last forward, on the last stage after its last
 * backward, which the other stages wait for.
 */
const withEvaluation = (order: readonly BarrierOp[], isLast: boolean): readonly BarrierOp[] => {
  const at = isLast ? order.length : order.findLastIndex(({ direction }) => direction === 'forward') + 1;
  return [...order.slice(0, at), { direction: 'evaluation', index: 0 }, ...order.slice(at)];
};

/** Numbers of one iteration's microbatches. */
interface IterationMicrobatches {
  readonly training: readonly number[];
  readonly heldout: readonly number[];
}

const writeIteration = (writer: PlanWriter, turn: Turn, microbatches: IterationMicrobatches, orders: readonly (readonly BarrierOp[])[]): void => {
  const { training, heldout } = microbatches;
  for (const [stage, order] of orders.entries()) {
    for (const { direction, index } of withEvaluation(order, stage === orders.length - 1)) {
      if (direction === 'forward') writer.forward(stage, training[index]!, [turn], index);
      else if (direction === 'backward') writer.backward(stage, training[index]!);
      else heldout.forEach((microbatch) => writer.evaluate(stage, microbatch));
    }
    writer.norms(stage, [turn]);
    writer.step(stage, [turn]);
  }
};

const planBarrier =
  (schedule: string, orderOf: StageOrder) =>
  (workload: Workload, devices: readonly string[], stages: readonly StagePlacement[]): Plan => {
    const writer = createPlanWriter(workload, devices, stages);
    for (const adapter of arrivalOrder(workload)) {
      const { iterations, microbatches } = workload.adapters[adapter]!;
      const first = firstIterationOf(workload.adapters[adapter]!);
      const orders = stages.map((_, stage) => orderOf(stage, stages.length, microbatches));
      for (let iteration = first; iteration < iterations; iteration++) {
        const turn = { adapter, iteration };
        const training = indices(microbatches).map((index) => writer.addMicrobatch(adapter, [turn], index));
        writeIteration(writer, turn, { training, heldout: writer.addEvaluation(adapter, turn) }, orders);
      }
    }
    return writer.build(schedule);
  };

/** Adapters by arrival, then higher priority, then position in the experiment. */
export const arrivalOrder = (workload: Workload): number[] =>
  indices(workload.adapters.length).sort((a, b) => {
    const [first, second] = [workload.adapters[a]!, workload.adapters[b]!];
    return first.arrivalNs - second.arrivalNs || second.priority - first.priority || a - b;
  });

/** GPipe: bubble ratio (D − 1)/(N + D − 1), every microbatch of the mini-batch in memory at once. */
export const planGpipe = planBarrier('gpipe', gpipeOrder);

/** 1F1B: GPipe's bubble ratio with at most D − s microbatches in memory on stage s. */
export const planOneForwardOneBackward = planBarrier('1f1b', oneForwardOneBackwardOrder);
