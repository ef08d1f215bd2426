import type { Plan, StagePlacement } from '../plan/plan.ts';
import { firstIterationOf, type Workload } from '../workload.ts';
import { gpipeOrder, interleavedOrder, oneForwardOneBackwardOrder, zeroBubbleOrder, zeroBubbleVOrder, type PipelineOrder } from './pipeline-orders.ts';
import { createPlanWriter, type PlanWriter, type Turn } from './plan-writer.ts';

/**
 * Schedules with a barrier at each iteration: one adapter at a time, its whole mini-batch in and out of the pipeline
 * before its weights change. They differ in the order of a mini-batch's passes only.
 */
export type PlanBarrier = (workload: Workload, devices: readonly string[], stages: readonly StagePlacement[]) => Plan;

/** Order of a mini-batch of so many microbatches. */
type OrderOf = (microbatches: number) => PipelineOrder;

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const planBarrier =
  (schedule: string, orderOn: (deviceCount: number) => OrderOf): PlanBarrier =>
  (workload, devices, stages) => {
    const writer = createPlanWriter(workload, devices, stages);
    writeAdapters(writer, workload, arrivalOrder(workload), { pipeline: 0, firstStage: 0, orderOf: orderOn(devices.length) });
    return writer.build(schedule);
  };

/** A pipeline of a plan, its first stage, and the order of its mini-batches. */
export interface BarrierPipeline {
  readonly pipeline: number;
  readonly firstStage: number;
  readonly orderOf: OrderOf;
}

/** Appends the whole training of some adapters, one after another, to the devices of one pipeline. */
export const writeAdapters = (writer: PlanWriter, workload: Workload, adapters: readonly number[], target: BarrierPipeline): void => {
  for (const adapter of adapters) {
    const { iterations, microbatches } = workload.adapters[adapter]!;
    const order = target.orderOf(microbatches);
    const lastStage = Math.max(...order.flat().map(({ stage }) => stage));
    for (let iteration = firstIterationOf(workload.adapters[adapter]!); iteration < iterations; iteration++) {
      const turn = { adapter, iteration };
      const training = indices(microbatches).map((index) => writer.addMicrobatch(adapter, [turn], index, target.pipeline));
      const heldout = writer.addEvaluation(adapter, turn, target.pipeline);
      for (const passes of order) writePasses(writer, turn, { training, heldout }, { passes, lastStage, firstStage: target.firstStage });
    }
  }
};

/** Numbers of one iteration's microbatches. */
interface IterationMicrobatches {
  readonly training: readonly number[];
  readonly heldout: readonly number[];
}

interface DevicePasses {
  readonly passes: PipelineOrder[number];
  readonly lastStage: number;
  readonly firstStage: number;
}

/**
 * One device's passes of a mini-batch; its stages step once the last gradient is there, and the norms it may be clipped
 * by. Held-out rows pass a stage while it waits for gradients: after its last forward, on the last stage after its last
 * backward, which the other stages wait for.
 */
const writePasses = (
  writer: PlanWriter,
  turn: Turn,
  { training, heldout }: IterationMicrobatches,
  { passes, lastStage, firstStage }: DevicePasses,
): void => {
  const forwards = countByStage(passes, (kind) => kind === 'forward');
  const gradients = countByStage(passes, completes);
  const evaluate = (stage: number): void => heldout.forEach((microbatch) => writer.evaluate(firstStage + stage, microbatch));
  for (const { kind, stage, index } of passes) {
    if (kind === 'forward') writer.forward(firstStage + stage, training[index]!, [turn]);
    else writer.backward(firstStage + stage, training[index]!, kind);
    if (kind === 'forward' && forwards.isLast(stage) && stage !== lastStage) evaluate(stage);
    if (!completes(kind) || !gradients.isLast(stage)) continue;
    if (stage === lastStage) evaluate(stage);
    // Gradients reach a device's lowest stage last.
    if (stage === Math.min(...passes.map((pass) => pass.stage))) writer.norms(firstStage + stage, [turn]);
    writer.step(firstStage + stage, [turn]);
  }
};

/** Counts a stage's passes of some kinds down; `isLast` notes one and says whether it was the last. */
const countByStage = (passes: DevicePasses['passes'], counts: (kind: DevicePasses['passes'][number]['kind']) => boolean) => {
  const left = new Map<number, number>();
  for (const { kind, stage } of passes) if (counts(kind)) left.set(stage, (left.get(stage) ?? 0) + 1);
  return {
    isLast: (stage: number): boolean => {
      left.set(stage, left.get(stage)! - 1);
      return left.get(stage) === 0;
    },
  };
};

/** Whether a pass of this kind completes a microbatch's gradients. */
const completes = (kind: PipelineOrder[number][number]['kind']): boolean => kind === 'backward' || kind === 'backwardWeight';

/** Adapters by arrival, then higher priority, then position in the experiment. */
export const arrivalOrder = (workload: Workload): number[] =>
  indices(workload.adapters.length).sort((a, b) => {
    const [first, second] = [workload.adapters[a]!, workload.adapters[b]!];
    return first.arrivalNs - second.arrivalNs || second.priority - first.priority || a - b;
  });

/** Any order of a mini-batch's passes, e.g. one that was read from a file. */
export const planInOrder = (schedule: string, order: PipelineOrder): PlanBarrier => planBarrier(schedule, () => () => order);

/** GPipe: bubble ratio (D − 1)/(N + D − 1), every microbatch of the mini-batch in memory at once. */
export const planGpipe = planBarrier('gpipe', (deviceCount) => (microbatches) => gpipeOrder(deviceCount, microbatches));

/** 1F1B: GPipe's bubble ratio with at most D − s microbatches in memory on stage s. */
export const planOneForwardOneBackward = planBarrier(
  '1f1b',
  (deviceCount) => (microbatches) => oneForwardOneBackwardOrder(deviceCount, microbatches),
);

/** Interleaved 1F1B on v stages a device: bubble ratio (D − 1)/(v·N + D − 1) where D divides N. */
export const planInterleaved = (chunks: number): PlanBarrier =>
  planBarrier('interleaved', (deviceCount) => (microbatches) => interleavedOrder(deviceCount, chunks, microbatches));

/** ZB-H1: (D − 1)·(T_F + T_I − T_W) idle a mini-batch and device where passes take equal times. */
export const planZeroBubble = planBarrier('zb-h1', (deviceCount) => (microbatches) => zeroBubbleOrder(deviceCount, microbatches));

/** ZB-V on two stages a device. */
export const planZeroBubbleV = planBarrier('zb-v', (deviceCount) => (microbatches) => zeroBubbleVOrder(deviceCount, microbatches));
