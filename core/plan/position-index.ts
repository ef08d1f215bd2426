import { KIND, kindName, SUBJECT_OF_KIND } from './op.ts';
import { pipelineOf } from './pipelines.ts';
import { opAt, type Plan, type Program } from './plan.ts';
import { formatOp } from './text.ts';
import type { Rule, Violation } from './violation.ts';

/** Where every op of a plan stands in its device's program; -1 where it does not. */
export interface PositionIndex {
  /** Position of a microbatch or life-cycle op, or of one that belongs to an adapter's iteration. */
  readonly at: (kind: number, stage: number, operand: number, iteration?: number) => number;
  readonly stepAt: (stage: number, adapter: number, iteration: number) => number;
  /** Position of the pass whose result goes to the stage before: the backward, or its first half. */
  readonly backwardAt: (stage: number, microbatch: number) => number;
  /** Position after which a microbatch's gradients are complete: the backward, or its second half. */
  readonly gradientAt: (stage: number, microbatch: number) => number;
  /** Steps of iterations that have no microbatch. */
  readonly strayPositions: () => readonly StrayStep[];
  /** First and last position at which an adapter is computed with on a stage; null where it is not, or not trained by the plan. */
  readonly usedBetween: (stage: number, adapter: number) => { readonly first: number; readonly last: number } | null;
}

export interface StrayStep {
  readonly stage: number;
  readonly adapter: number;
  readonly iteration: number;
  readonly position: number;
}

const NOWHERE = -1;

/** Builds the index; ops that cannot be indexed (unknown operand, wrong device, seen before) are violations. */
export const indexPositions = (plan: Plan): { index: PositionIndex; violations: Violation[] } => {
  const violations: Violation[] = [];
  const columns = new Map<number, Int32Array>();
  const iterationStarts = iterationOffsets(plan);
  const totalIterations = iterationStarts[plan.adapters.length]!;

  const widthOf = (kind: number): number => {
    const subject = SUBJECT_OF_KIND[kind];
    return subject === 'iteration' ? totalIterations : subject === 'adapter' ? plan.adapters.length : plan.microbatches.length;
  };
  const columnOf = (kind: number): Int32Array => {
    let column = columns.get(kind);
    if (column === undefined) columns.set(kind, (column = new Int32Array(plan.stages.length * widthOf(kind)).fill(NOWHERE)));
    return column;
  };
  const cellOf = (kind: number, stage: number, operand: number, iteration: number): number => {
    if (plan.stages[stage] === undefined) return NOWHERE;
    const subject = SUBJECT_OF_KIND[kind];
    if (operand >= (subject === 'microbatch' ? plan.microbatches.length : plan.adapters.length)) return NOWHERE;
    if (subject !== 'iteration') return stage * widthOf(kind) + operand;
    const start = iterationStarts[operand]!;
    return start + iteration < iterationStarts[operand + 1]! ? stage * totalIterations + start + iteration : NOWHERE;
  };
  const strays: StrayStep[] = [];

  const indexOp = (program: Program, device: number, position: number): void => {
    const kind = program.kind[position]!;
    const stage = program.stage[position]!;
    const operand = program.operand[position]!;
    const iteration = program.iteration[position]!;
    const report = (rule: Rule, message: string): void => void violations.push({ rule, device, position, message });
    const cell = cellOf(kind, stage, operand, iteration);
    if (cell === NOWHERE) {
      if (kind === KIND.step && plan.stages[stage] !== undefined && operand < plan.adapters.length) {
        strays.push({ stage, adapter: operand, iteration, position });
      } else report('known', `${formatOp(opAt(program, position))} names no ${kindName(kind)} of this plan`);
      return;
    }
    if (plan.stages[stage]!.device !== device) {
      report('placement', `stage ${stage} is on ${plan.devices[plan.stages[stage]!.device]}`);
      return;
    }
    if (SUBJECT_OF_KIND[kind] === 'microbatch' && plan.microbatches.pipeline[operand] !== pipelineOf(plan.stages[stage]!)) {
      report('placement', `microbatch ${operand} passes pipeline ${plan.microbatches.pipeline[operand]}, which stage ${stage} is no part of`);
      return;
    }
    const column = columnOf(kind);
    if (column[cell] !== NOWHERE) report('once', `stands already at position ${column[cell]}`);
    else column[cell] = position;
  };
  for (const [device, program] of plan.programs.entries()) {
    for (let position = 0; position < program.length; position++) indexOp(program, device, position);
  }

  const at = (kind: number, stage: number, operand: number, iteration = 0): number => {
    const cell = cellOf(kind, stage, operand, iteration);
    return cell === NOWHERE ? NOWHERE : (columns.get(kind)?.[cell] ?? NOWHERE);
  };
  return {
    violations,
    index: {
      at,
      stepAt: (stage, adapter, iteration) => at(KIND.step, stage, adapter, iteration),
      backwardAt: (stage, microbatch) => Math.max(at(KIND.backward, stage, microbatch), at(KIND.backwardInput, stage, microbatch)),
      gradientAt: (stage, microbatch) => Math.max(at(KIND.backward, stage, microbatch), at(KIND.backwardWeight, stage, microbatch)),
      strayPositions: () => strays,
      usedBetween: createUse(plan, at),
    },
  };
};

/** Where each adapter's iterations start when all are laid end to end; one more entry for the total. */
const iterationOffsets = ({ adapters, microbatches }: Plan): Uint32Array => {
  const counts = new Uint32Array(adapters.length);
  for (let microbatch = 0; microbatch < microbatches.length; microbatch++) {
    if (microbatches.forwardOnly[microbatch] === 1) continue;
    for (let part = microbatches.partStart[microbatch]!; part < microbatches.partStart[microbatch + 1]!; part++) {
      const adapter = microbatches.partAdapter[part]!;
      counts[adapter] = Math.max(counts[adapter]!, microbatches.partIteration[part]! + 1);
    }
  }
  const offsets = new Uint32Array(adapters.length + 1);
  for (const [adapter, count] of counts.entries()) offsets[adapter + 1] = offsets[adapter]! + count;
  return offsets;
};

/** First forward and last step per stage and adapter, found in one pass over the microbatches. */
const createUse = (
  { stages, adapters, microbatches }: Plan,
  at: (kind: number, stage: number, operand: number, iteration?: number) => number,
): PositionIndex['usedBetween'] => {
  const first = new Float64Array(stages.length * adapters.length).fill(Infinity);
  const last = new Float64Array(stages.length * adapters.length).fill(-Infinity);
  for (const stage of stages.keys()) {
    for (let microbatch = 0; microbatch < microbatches.length; microbatch++) {
      const forward = at(KIND.forward, stage, microbatch);
      const backward = Math.max(at(KIND.backward, stage, microbatch), at(KIND.backwardWeight, stage, microbatch));
      for (let p = microbatches.partStart[microbatch]!; p < microbatches.partStart[microbatch + 1]!; p++) {
        const adapter = microbatches.partAdapter[p]!;
        const cell = stage * adapters.length + adapter;
        const step = at(KIND.step, stage, adapter, microbatches.partIteration[p]);
        if (forward >= 0) first[cell] = Math.min(first[cell]!, forward);
        last[cell] = Math.max(last[cell]!, forward, backward, step);
      }
    }
  }
  const trained = new Set<number>();
  for (let microbatch = 0; microbatch < microbatches.length; microbatch++) {
    if (microbatches.forwardOnly[microbatch] === 1) continue;
    for (let p = microbatches.partStart[microbatch]!; p < microbatches.partStart[microbatch + 1]!; p++) trained.add(microbatches.partAdapter[p]!);
  }
  return (stage, adapter) => {
    const cell = stage * adapters.length + adapter;
    if (!trained.has(adapter)) return null;
    return first[cell] === Infinity ? null : { first: first[cell]!, last: last[cell]! };
  };
};
