import { MEMORY_CLASSES, residentBytesOf, type CostModel, type MemoryClass } from '../cost-model.ts';
import { KIND, OP_KINDS } from './op.ts';
import type { Plan } from './plan.ts';

/** The most a device holds at once when it runs its program in order, by class; transfers in flight are not counted. */
export interface MemoryNeed {
  readonly totalBytes: number;
  readonly byClass: Readonly<Record<MemoryClass, number>>;
  /** Position in the program where the peak is. */
  readonly position: number;
}

type Ledger = Record<MemoryClass, number>;

const emptyLedger = (): Ledger => Object.fromEntries(MEMORY_CLASSES.map((name) => [name, 0])) as Ledger;

const total = (ledger: Ledger): number => MEMORY_CLASSES.reduce((sum, name) => sum + ledger[name], 0);

/** Walks one device's program and returns its peak. */
export const memoryNeed = (plan: Plan, cost: CostModel, device: number): MemoryNeed => {
  const program = plan.programs[device]!;
  const held: Ledger = { ...emptyLedger(), ...residentBytesOf(cost, plan.stages, device) };
  const changesOf = createChanges(plan, cost);
  let totalBytes = total(held);
  let peak: MemoryNeed = { totalBytes, byClass: { ...held }, position: 0 };
  for (let position = 0; position < program.length; position++) {
    const { before, during, after } = changesOf(program.kind[position]!, program.stage[position]!, program.operand[position]!);
    totalBytes += add(held, before, 1) + add(held, during, 1);
    if (totalBytes > peak.totalBytes) peak = { totalBytes, byClass: { ...held }, position };
    totalBytes += add(held, during, -1) + add(held, after, -1);
  }
  return peak;
};

export type Bytes = Partial<Readonly<Ledger>>;

/** Adds bytes to a ledger (sign 1) or takes them away (−1); by how much its total changed. */
const add = (ledger: Ledger, bytes: Bytes, sign: 1 | -1): number => {
  let change = 0;
  for (const name in bytes) {
    const amount = sign * (bytes[name as MemoryClass] ?? 0);
    ledger[name as MemoryClass] += amount;
    change += amount;
  }
  return change;
};

/** What an op takes when it starts, holds only while it runs, and returns when it ends. */
export interface Changes {
  readonly before: Bytes;
  readonly during: Bytes;
  readonly after: Bytes;
}

const NONE: Bytes = {};
const NOTHING: Changes = { before: NONE, during: NONE, after: NONE };

/** Changes of any op of a plan, by kind, stage and operand. */
export const createChanges = (plan: Plan, cost: CostModel): ((kind: number, stage: number, operand: number) => Changes) => {
  const { forwardOnly, shape: shapes } = plan.microbatches;
  const sizeOf = memoizeSizes(plan, cost);
  const gathersAgain = plan.programs.some(({ kind }) => kind.includes(KIND.allGatherBackward));
  const gathers = plan.programs.some(({ kind }) => kind.includes(KIND.allGatherForward));
  const gathered = (stage: number): Bytes => (gathers ? { baseWeights: cost.gatheredBytes(stage) } : NONE);
  const adapter = (stage: number, operand: number): Bytes => ({
    ...cost.adapterBytes(stage, operand),
    allocator: cost.rounding?.adapterBytes(stage, operand) ?? 0,
  });
  return (kind, stage, operand) => {
    switch (kind) {
      case KIND.load:
        return { before: adapter(stage, operand), during: NONE, after: NONE };
      case KIND.release:
        return { before: NONE, during: NONE, after: adapter(stage, operand) };
      case KIND.allGatherForward:
      case KIND.allGatherBackward:
        return { before: gathered(stage), during: NONE, after: NONE };
      case KIND.forward: {
        const { saved, forward } = sizeOf(stage, shapes[operand]!);
        const evaluated = forwardOnly[operand] === 1;
        const after = gathersAgain || evaluated ? gathered(stage) : NONE;
        return { before: evaluated ? NONE : saved, during: { transient: forward }, after };
      }
      case KIND.backward: {
        const { saved, backward } = sizeOf(stage, shapes[operand]!);
        return { before: NONE, during: { transient: backward }, after: { ...saved, ...gathered(stage) } };
      }
      case KIND.backwardInput:
        return { before: NONE, during: { transient: sizeOf(stage, shapes[operand]!).backward }, after: NONE };
      case KIND.backwardWeight:
        return { before: NONE, during: NONE, after: { ...sizeOf(stage, shapes[operand]!).saved, ...gathered(stage) } };
      default:
        return duringCollective(plan, cost, { kind, stage, operand });
    }
  };
};

/** The buffer of a sum. */
const duringCollective = (
  { shapes, microbatches }: Plan,
  cost: CostModel,
  { kind, stage, operand }: { readonly kind: number; readonly stage: number; readonly operand: number },
): Changes => {
  switch (kind) {
    case KIND.allReduceForward:
    case KIND.allReduceBackward: {
      const shape = shapes[microbatches.shape[operand]!]!;
      return { ...NOTHING, during: { communication: cost.microbatchCollective(OP_KINDS[kind], stage, shape).bufferBytes ?? 0 } };
    }
    case KIND.allReduceGradients:
    case KIND.reduceScatterGradients:
      return { ...NOTHING, during: { communication: cost.gradientCollective(OP_KINDS[kind], stage, operand).bufferBytes ?? 0 } };
    default:
      return NOTHING;
  }
};

interface Sizes {
  readonly saved: Bytes;
  readonly forward: number;
  readonly backward: number;
}

const memoizeSizes = (plan: Plan, cost: CostModel): ((stage: number, shape: number) => Sizes) => {
  const known: (Sizes | undefined)[] = [];
  return (stage, shape) =>
    (known[stage * plan.shapes.length + shape] ??= {
      saved: {
        activations: cost.activationBytes(stage, plan.shapes[shape]!),
        allocator: cost.rounding?.activationBytes(stage, plan.shapes[shape]!) ?? 0,
      },
      ...cost.transientBytes(stage, plan.shapes[shape]!),
    });
};

/** The class that takes the largest part of a need. */
export const largestClass = ({ byClass }: MemoryNeed): MemoryClass =>
  MEMORY_CLASSES.reduce((best, name) => (byClass[name] > byClass[best] ? name : best));
