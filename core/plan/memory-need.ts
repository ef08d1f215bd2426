import { MEMORY_CLASSES, type CostModel, type MemoryClass } from '../cost-model.ts';
import { KIND } from './op.ts';
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
  const held = emptyLedger();
  for (const [stage, { device: home }] of plan.stages.entries()) {
    if (home !== device) continue;
    held.baseWeights += cost.residentBytes(stage).baseWeights;
    held.context = Math.max(held.context, cost.residentBytes(stage).context);
  }
  const sizeOf = memoizeSizes(plan, cost);
  let peak: MemoryNeed = { totalBytes: total(held), byClass: { ...held }, position: 0 };
  for (let position = 0; position < program.length; position++) {
    const stage = program.stage[position]!;
    const operand = program.operand[position]!;
    const kind = program.kind[position]!;
    if (kind === KIND.load || kind === KIND.release) {
      const sign = kind === KIND.load ? 1 : -1;
      const sizes = cost.adapterBytes(stage, operand);
      held.adapters += sign * sizes.adapters;
      held.gradients += sign * sizes.gradients;
      held.optimizer += sign * sizes.optimizer;
    } else if (kind === KIND.forward || kind === KIND.backward) {
      const sizes = sizeOf(stage, plan.microbatches.shape[operand]!);
      if (kind === KIND.forward) held.activations += sizes.activations;
      held.transient = kind === KIND.forward ? sizes.forward : sizes.backward;
      if (total(held) > peak.totalBytes) peak = { totalBytes: total(held), byClass: { ...held }, position };
      held.transient = 0;
      if (kind === KIND.backward) held.activations -= sizes.activations;
    }
  }
  return peak;
};

interface Sizes {
  readonly activations: number;
  readonly forward: number;
  readonly backward: number;
}

const memoizeSizes = (plan: Plan, cost: CostModel): ((stage: number, shape: number) => Sizes) => {
  const known: (Sizes | undefined)[] = [];
  return (stage, shape) =>
    (known[stage * plan.shapes.length + shape] ??= {
      activations: cost.activationBytes(stage, plan.shapes[shape]!),
      ...cost.transientBytes(stage, plan.shapes[shape]!),
    });
};

/** The class that takes the largest part of a need. */
export const largestClass = ({ byClass }: MemoryNeed): MemoryClass =>
  MEMORY_CLASSES.reduce((best, name) => (byClass[name] > byClass[best] ? name : best));
