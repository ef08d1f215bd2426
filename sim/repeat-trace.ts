import type { CostModel } from '../core/cost-model.ts';
import { findChains } from '../core/explain/chain.ts';
import { isCommunication } from '../core/explain/span-index.ts';
import { ringPasses } from '../core/cluster/collective-algorithm.ts';
import { communicatorsOf, isAllReduce } from '../core/plan/collectives.ts';
import { createProgramBuilder } from '../core/plan/builders.ts';
import { KIND, STREAM } from '../core/plan/op.ts';
import type { MicrobatchShape, Plan, Program } from '../core/plan/plan.ts';
import type { Trace } from '../core/trace/trace.ts';
import { constantCluster, constantCost } from './constant-cost.ts';
import type { Repeatable } from './what-if.ts';

/** Times of a run's ops, in nanoseconds, by row of its trace. */
type RowTimes = (row: number) => number;

/** A run as its trace has it, so that it can be repeated with changes: as long as it took, and without disturbances. */
export interface RepeatableTrace {
  /** Ops take what they took, together with what passed before them for no reason that was recorded. */
  readonly asItRan: Repeatable;
  /** Ops take what they should have taken, and follow each other at once. */
  readonly undisturbed: Repeatable;
}

/**
 * The programs of a trace in the order in which it ran them, priced with its own times. Every device pair has a link
 * that moves a microbatch in the mean of its transfers; loading and saving adapters takes no time.
 */
export const repeatTrace = (trace: Trace): RepeatableTrace => {
  const { spans } = trace;
  const { expectedNs, waitNs, arrivalNs } = findChains(trace);
  const plan = planOf(trace);
  const cluster = constantCluster(trace.devices.length);
  const repeatable = (timeOf: RowTimes): Repeatable => ({ plan, cost: costOf(trace, plan, timeOf), cluster, request: null });
  const ranNs: RowTimes = (row) =>
    waitNs[row]! - arrivalNs[row]! + (isCommunication(spans.kind[row]!) ? expectedNs[row]! : spans.endNs[row]! - spans.startNs[row]!);
  return { asItRan: repeatable(ranNs), undisturbed: repeatable((row) => expectedNs[row]!) };
};

/** One shape for each microbatch: equal ones may have taken different times. */
const planOf = (trace: Trace): Plan => {
  const { spans, plan, devices } = trace;
  const programs = devices.map(() => createProgramBuilder());
  for (const row of programOrder(trace)) {
    programs[spans.device[row]!]!.push(spans.kind[row]!, spans.stage[row]!, spans.operand[row]!, spans.iteration[row]!);
  }
  const { microbatches } = plan;
  return {
    ...plan,
    shapes: Array.from(microbatches.shape, (shape): MicrobatchShape => ({ ...plan.shapes[shape]! })),
    microbatches: { ...microbatches, shape: Uint32Array.from(microbatches.shape, (_, microbatch) => microbatch) },
    programs: programs.map((program): Program => program.build()),
  };
};

/** Collectives wait for the compute ops that stand before them: those that had ended when they began. */
const programOrder = ({ spans }: Trace): number[] => {
  const isCompute = (row: number): boolean => spans.stream[row] === STREAM.compute;
  const placeNs = (row: number): number => (isCompute(row) ? spans.endNs[row]! : spans.startNs[row]!);
  return Array.from({ length: spans.length }, (_, row) => row)
    .filter((row) => spans.stream[row] !== STREAM.host)
    .sort((a, b) => placeNs(a) - placeNs(b) || a - b);
};

const costOf = ({ spans, plan }: Trace, { shapes }: Plan, timeOf: RowTimes): CostModel => {
  const numbers = new Map(shapes.map((shape, number) => [shape, number]));
  const communicators = communicatorsOf(plan.stages);
  const means = createMeans();
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] === STREAM.host) continue;
    const kind = spans.kind[row]!;
    const stage = spans.stage[row]!;
    if (kind === KIND.receiveForward) means.add(['transfer', stage - 1, spans.operand[row]!], timeOf(row));
    else if (kind === KIND.receiveBackward) means.add(['transfer', stage, spans.operand[row]!], timeOf(row));
    else means.add([kind, stage, spans.operand[row]!], timeOf(row));
  }
  const compute = (kind: number, stage: number, operand: number) => ({ deviceNs: means.of([kind, stage, operand]), launchNs: 0 });
  const pass = (kind: number) => (stage: number, shape: MicrobatchShape) => compute(kind, stage, numbers.get(shape)!);
  // Links move a byte a nanosecond, and a ring passes the tensor over each of them more or less than once.
  const collective = (kind: number, stage: number, operand: number) => {
    const passes = ringPasses(communicators.members[communicators.of(kind, stage)]!.length, isAllReduce(kind));
    return { bytes: passes === 0 ? 0 : means.of([kind, stage, operand]) / passes, calls: 0 };
  };
  return {
    ...constantCost({ forwardNs: 0, backwardNs: 0 }),
    forward: pass(KIND.forward),
    backward: pass(KIND.backward),
    backwardInput: pass(KIND.backwardInput),
    backwardWeight: pass(KIND.backwardWeight),
    step: (stage, adapter) => compute(KIND.step, stage, adapter),
    microbatchCollective: (kind, stage, shape) => collective(KIND[kind], stage, numbers.get(shape)!),
    gradientCollective: (kind, stage, adapter) => collective(KIND[kind], stage, adapter),
    transferBytes: (stage, shape) => means.of(['transfer', stage, numbers.get(shape)!]),
  };
};

/** Means of values by key; 0 where there is none. */
const createMeans = () => {
  const sums = new Map<string, { total: number; count: number }>();
  return {
    add: (key: readonly (string | number)[], value: number): void => {
      const sum = sums.get(key.join()) ?? { total: 0, count: 0 };
      sums.set(key.join(), { total: sum.total + value, count: sum.count + 1 });
    },
    of: (key: readonly (string | number)[]): number => {
      const sum = sums.get(key.join());
      return sum === undefined ? 0 : sum.total / sum.count;
    },
  };
};
