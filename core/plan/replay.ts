import type { CostModel } from '../cost-model.ts';
import { memoizeShapeCosts, opNs, type ShapeCost } from '../shape-costs.ts';
import { KIND } from './op.ts';
import type { Plan, Program } from './plan.ts';

/** Start and end of every op of one device, by position in its program. */
export interface DeviceTimes {
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

type TransferNs = (fromStage: number, toStage: number, bytes: number) => number;

/**
 * Earliest start and end of the compute ops of a plan without transfers, every device running its program in order and
 * every transfer undisturbed. Positions whose inputs never come stay NaN.
 *
 * This is what plans are lowered with; how long they really take is the simulator's business.
 */
export const replayCompute = (plan: Plan, cost: CostModel, transferNs: TransferNs): DeviceTimes[] => {
  const replay = startReplay(plan, cost, transferNs);
  let progressed = true;
  while (progressed) {
    progressed = false;
    for (const device of plan.programs.keys()) progressed = advance(replay, device) || progressed;
  }
  return replay.times;
};

interface Replay {
  readonly plan: Plan;
  readonly cost: CostModel;
  readonly transferNs: TransferNs;
  readonly costOf: (shape: number) => ShapeCost;
  readonly times: DeviceTimes[];
  readonly positions: number[];
  /** End of each stage's forward and backward of each microbatch; NaN until done. */
  readonly forwardEndNs: Float64Array;
  readonly backwardEndNs: Float64Array;
}

const startReplay = (plan: Plan, cost: CostModel, transferNs: TransferNs): Replay => {
  const cells = plan.stages.length * plan.microbatches.length;
  return {
    plan,
    cost,
    transferNs,
    costOf: memoizeShapeCosts(cost, plan.stages.length, () => plan.shapes),
    times: plan.programs.map(({ length }) => ({
      startNs: new Float64Array(length).fill(NaN),
      endNs: new Float64Array(length).fill(NaN),
    })),
    positions: plan.programs.map(() => 0),
    forwardEndNs: new Float64Array(cells).fill(NaN),
    backwardEndNs: new Float64Array(cells).fill(NaN),
  };
};

/** Runs one device until its program ends or an input is missing. */
const advance = (replay: Replay, device: number): boolean => {
  const { plan, times, positions } = replay;
  const program = plan.programs[device]!;
  const { startNs, endNs } = times[device]!;
  const first = positions[device]!;
  let position = first;
  for (; position < program.length; position++) {
    const readyNs = readyTime(replay, program, position);
    if (Number.isNaN(readyNs)) break;
    startNs[position] = Math.max(readyNs, position === 0 ? 0 : endNs[position - 1]!);
    endNs[position] = startNs[position]! + durationOf(replay, program, position);
    recordEnd(replay, program, position, endNs[position]!);
  }
  positions[device] = position;
  return position > first;
};

/** When the inputs of an op are there; NaN when they are not known yet. */
const readyTime = (replay: Replay, program: Program, position: number): number => {
  const { plan, forwardEndNs, backwardEndNs } = replay;
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  const end = (ends: Float64Array, from: number): number =>
    ends[from * plan.microbatches.length + operand]! + hopNs(replay, from, stage, operand);
  switch (program.kind[position]) {
    case KIND.forward:
      return stage === 0 ? 0 : end(forwardEndNs, stage - 1);
    case KIND.backward:
      return stage + 1 === plan.stages.length ? end(forwardEndNs, stage) : end(backwardEndNs, stage + 1);
    case KIND.load:
      return plan.arrivalsNs[operand]!;
    default:
      return 0;
  }
};

const hopNs = ({ plan, costOf, transferNs }: Replay, from: number, to: number, microbatch: number): number =>
  plan.stages[from]!.device === plan.stages[to]!.device
    ? 0
    : transferNs(from, to, costOf(plan.microbatches.shape[microbatch]!).transferBytes);

const durationOf = ({ plan, cost, costOf }: Replay, program: Program, position: number): number => {
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  switch (program.kind[position]) {
    case KIND.forward:
      return costOf(plan.microbatches.shape[operand]!).forwardNs[stage]!;
    case KIND.backward:
      return costOf(plan.microbatches.shape[operand]!).backwardNs[stage]!;
    case KIND.step:
      return opNs(cost.step(stage, operand));
    default:
      return 0;
  }
};

const recordEnd = ({ plan, forwardEndNs, backwardEndNs }: Replay, program: Program, position: number, endNs: number): void => {
  const cell = program.stage[position]! * plan.microbatches.length + program.operand[position]!;
  if (program.kind[position] === KIND.forward) forwardEndNs[cell] = endNs;
  else if (program.kind[position] === KIND.backward) backwardEndNs[cell] = endNs;
};
