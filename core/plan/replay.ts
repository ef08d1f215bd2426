import type { CostModel } from '../cost-model.ts';
import { memoizeShapeCosts, opNs, type ShapeCost } from '../shape-costs.ts';
import { communicatorsOf, findWaits, type Communicators } from './collectives.ts';
import { KIND, STREAM, STREAM_OF_KIND } from './op.ts';
import { neighboursOf, type Neighbours } from './pipelines.ts';
import type { Plan, Program } from './plan.ts';

/** Start and end of every op of one device, by position in its program. */
export interface DeviceTimes {
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

type TransferNs = (fromStage: number, toStage: number, bytes: number) => number;

/**
 * Earliest start and end of the compute ops of a plan without transfers, every device running its program in order and
 * every transfer undisturbed. A collective takes no time of its own: it ends when the last of its devices has come to
 * it. Positions whose inputs never come stay NaN.
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

export interface Replay {
  readonly plan: Plan;
  readonly cost: CostModel;
  readonly transferNs: TransferNs;
  readonly costOf: (shape: number) => ShapeCost;
  readonly times: DeviceTimes[];
  readonly positions: number[];
  readonly neighbours: Neighbours;
  readonly communicators: Communicators;
  readonly waits: readonly Int32Array[];
  /** When each device has come to its k-th collective on a communicator. */
  readonly postedNs: readonly (readonly number[][])[];
  /** By device and position: the communicator's collective that stands there. */
  readonly ordinals: readonly Map<number, number>[];
  /** Time of a shape's transfer by the stage it comes from and the one it goes to; absent until it is asked for. */
  readonly hops: Map<number, number>;
  /** End of each stage's forward and backward of each microbatch; NaN until done. */
  readonly forwardEndNs: Float64Array;
  readonly backwardEndNs: Float64Array;
}

export const startReplay = (plan: Plan, cost: CostModel, transferNs: TransferNs): Replay => {
  const cells = plan.stages.length * plan.microbatches.length;
  const communicators = communicatorsOf(plan.stages);
  return {
    plan,
    cost,
    transferNs,
    costOf: memoizeShapeCosts(cost, plan.stages.length, (shape) => plan.shapes[shape]!),
    times: plan.programs.map(({ length }) => ({
      startNs: new Float64Array(length).fill(NaN),
      endNs: new Float64Array(length).fill(NaN),
    })),
    positions: plan.programs.map(() => 0),
    neighbours: neighboursOf(plan.stages),
    communicators,
    waits: findWaits(plan),
    postedNs: communicators.members.map(() => plan.devices.map(() => [])),
    ordinals: plan.programs.map(() => new Map()),
    hops: new Map(),
    forwardEndNs: new Float64Array(cells).fill(NaN),
    backwardEndNs: new Float64Array(cells).fill(NaN),
  };
};

/** Runs one device until its program ends or an input is missing. */
const advance = (replay: Replay, device: number): boolean => {
  const { plan, times, positions } = replay;
  const program = plan.programs[device]!;
  const first = positions[device]!;
  let position = first;
  for (; position < program.length; position++) {
    const freeNs = position === 0 ? 0 : times[device]!.endNs[position - 1]!;
    const readyNs = readyNsOf(replay, device, position);
    if (Number.isNaN(readyNs)) break;
    runOp(replay, device, position, Math.max(readyNs, freeNs));
  }
  positions[device] = position;
  return position > first;
};

/** When an op could start as far as other ops are concerned; NaN while one of them has not run. */
export const readyNsOf = (replay: Replay, device: number, position: number): number => {
  const program = replay.plan.programs[device]!;
  if (STREAM_OF_KIND[program.kind[position]!] === STREAM.collective) return 0;
  return Math.max(readyTime(replay, program, position), collectedTime(replay, device, position));
};

/** Runs an op; returns its end. */
export const runOp = (replay: Replay, device: number, position: number, startNs: number): number => {
  const { plan, times } = replay;
  const program = plan.programs[device]!;
  times[device]!.startNs[position] = startNs;
  times[device]!.endNs[position] = startNs;
  if (STREAM_OF_KIND[program.kind[position]!] === STREAM.collective) {
    post(replay, device, position, startNs);
    return startNs;
  }
  const endNs = startNs + durationOf(replay, program, position);
  times[device]!.endNs[position] = endNs;
  recordEnd(replay, program, position, endNs);
  return endNs;
};

const communicatorAt = ({ plan, communicators }: Replay, device: number, position: number): number => {
  const { kind, stage } = plan.programs[device]!;
  return communicators.of(kind[position]!, stage[position]!);
};

const post = (replay: Replay, device: number, position: number, timeNs: number): void => {
  const posted = replay.postedNs[communicatorAt(replay, device, position)]![device]!;
  replay.ordinals[device]!.set(position, posted.push(timeNs) - 1);
};

/** When the collective that an op waits for has ended; 0 without one, NaN while some device has not come to it. */
const collectedTime = (replay: Replay, device: number, position: number): number => {
  const collective = replay.waits[device]?.[position] ?? -1;
  if (collective < 0) return 0;
  const communicator = communicatorAt(replay, device, collective);
  const ordinal = replay.ordinals[device]!.get(collective)!;
  const times = replay.communicators.members[communicator]!.map((member) => replay.postedNs[communicator]![member]![ordinal] ?? NaN);
  return Math.max(...times);
};

/** When the inputs of an op are there; NaN when they are not known yet. */
const readyTime = (replay: Replay, program: Program, position: number): number => {
  const { plan, neighbours, forwardEndNs, backwardEndNs } = replay;
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  const end = (ends: Float64Array, from: number): number =>
    ends[from * plan.microbatches.length + operand]! + hopNs(replay, from, stage, operand);
  switch (program.kind[position]) {
    case KIND.forward: {
      const from = neighbours.previous[stage]!;
      return from < 0 ? 0 : end(forwardEndNs, from);
    }
    case KIND.backward:
    case KIND.backwardInput: {
      const from = neighbours.next[stage]!;
      return from < 0 ? end(forwardEndNs, stage) : end(backwardEndNs, from);
    }
    case KIND.load:
      return plan.arrivalsNs[operand]!;
    default:
      return 0;
  }
};

/** Many microbatches have few shapes: each hop is worked out once. */
const hopNs = ({ plan, costOf, transferNs, hops }: Replay, from: number, to: number, microbatch: number): number => {
  if (plan.stages[from]!.device === plan.stages[to]!.device) return 0;
  const shape = plan.microbatches.shape[microbatch]!;
  const key = (shape * plan.stages.length + from) * plan.stages.length + to;
  let hop = hops.get(key);
  if (hop === undefined) hops.set(key, (hop = transferNs(from, to, costOf(shape).transferBytes[Math.min(from, to)]!)));
  return hop;
};

const durationOf = ({ plan, cost, costOf }: Replay, program: Program, position: number): number => {
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  const shapeCost = (): ShapeCost => costOf(plan.microbatches.shape[operand]!);
  switch (program.kind[position]) {
    case KIND.forward:
      return shapeCost().forwardNs[stage]!;
    case KIND.backward:
      return shapeCost().backwardNs[stage]!;
    case KIND.backwardInput:
      return opNs(cost.backwardInput(stage, plan.shapes[plan.microbatches.shape[operand]!]!));
    case KIND.backwardWeight:
      return opNs(cost.backwardWeight(stage, plan.shapes[plan.microbatches.shape[operand]!]!));
    case KIND.step:
      return opNs(cost.step(stage, operand));
    default:
      return 0;
  }
};

const recordEnd = ({ plan, forwardEndNs, backwardEndNs }: Replay, program: Program, position: number, endNs: number): void => {
  const kind = program.kind[position];
  const cell = program.stage[position]! * plan.microbatches.length + program.operand[position]!;
  if (kind === KIND.forward) forwardEndNs[cell] = endNs;
  else if (kind === KIND.backward || kind === KIND.backwardInput) backwardEndNs[cell] = endNs;
};
