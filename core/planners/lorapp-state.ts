import type { CostModel } from '../cost-model.ts';
import { evaluationOf, firstIterationOf, isClosing, turnCount, type Workload } from '../workload.ts';
import type { Group } from './groups.ts';
import type { Turn } from './plan-writer.ts';

/** What LoRAPP plans for; constant over a run. */
export interface LorappProblem {
  readonly workload: Workload;
  /** To start with; `LorappState` says who is where later. */
  readonly groups: readonly Group[];
  /** Device of each stage; stages of one device share its time and memory. */
  readonly deviceOfStage: readonly number[];
  readonly cost: CostModel;
  /** Time of an undisturbed transfer between neighbouring stages. */
  readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
  /** Bytes each device has for saved activations and transients; Infinity where memory is no limit. */
  readonly memoryBudgets: readonly number[];
  readonly order: '1f1b' | 'gpipe';
  readonly release: 'staggered' | 'greedy';
  /** Microbatches in flight beyond one per stage; `auto` is as many as memory holds. */
  readonly extraInFlight: 'auto' | number;
}

/** A microbatch between two stages' ops, waiting for its next one. */
export interface InFlight {
  readonly microbatch: number;
  readonly shape: number;
  readonly group: number;
  /** Number of its round. */
  readonly round: number;
  /** Position in its round; held-out microbatches stand behind those of training. */
  readonly index: number;
  readonly evaluated: boolean;
  readyNs: number;
}

/** One iteration of each adapter of a group that still has any, or the evaluation behind its last one, and what is left of it to do. */
export interface Round {
  readonly number: number;
  readonly turns: readonly Turn[];
  /** Microbatches of training, then of held-out rows. */
  readonly microbatches: number;
  readonly evaluations: number;
  /** A step waits for the norm of gradients over all stages. */
  readonly clips: boolean;
  /** Backwards and held-out forwards the round still needs, and whether it has not stepped, by stage. */
  readonly pendingBackwards: number[];
  readonly pendingEvaluations: number[];
  readonly pendingSteps: boolean[];
  /** Where `clips`: when the last stage so far has its gradients. */
  gradientsNs: number;
}

/** A round whose last step, on the first stage, is planned. */
export interface EndedRound {
  readonly turns: readonly Turn[];
  readonly endNs: number;
}

export interface GroupState {
  /** Adapters that take part from the next round on. */
  members: number[];
  /** Rounds that are not through on all stages, oldest first; the last one is the present one, without turns at the end. */
  rounds: Round[];
  /** Microbatches of the present round that have entered the pipeline. */
  released: number;
  /** Numbers of the present round's microbatches; empty until the first one is about to enter. */
  numbers: number[];
  /** When the present round's first forward may start: the end of the last round's step, or the arrival. */
  readyNs: number;
  /** Time of a round's microbatches at their slowest device, one after another; 0 until the first round is numbered. */
  workNs: number;
  /** Time one round needs from its first forward to its last backward when alone. */
  latencyNs: number;
}

/** Steps of a round on a stage, once the norms they are clipped by are known. */
export interface WaitingStep {
  readonly group: number;
  readonly round: number;
  readonly readyNs: number;
}

export interface DeviceState {
  /** End of the device's last op. */
  freeNs: number;
  heldBytes: number;
  /** The largest transient of the shapes that have entered so far. */
  transientBytes: number;
}

export interface StageState {
  forwards: InFlight[];
  backwards: InFlight[];
  /** GPipe order, last stage: forwards done whose round is not complete. */
  waiting: InFlight[];
  steps: WaitingStep[];
}

/** Everything in flight: plain data, so that planning can stop at any time and go on later, elsewhere. */
export interface LorappState {
  groups: GroupState[];
  /** Iteration that each adapter makes next, or is in. */
  nextIterations: number[];
  /** The round that ended last in the present extension; null: none yet. */
  ended: EndedRound | null;
  devices: DeviceState[];
  stages: StageState[];
  inFlight: number;
  /** Staggered release: the next microbatch enters no earlier. */
  dueNs: number;
  /** How far ahead of its slot that is. */
  leadNs: number;
  /** Group that entered last. */
  lastGroup: number;
  /** Groups in the order of their turns. */
  order: number[];
  /** Start of the latest op that is planned: who comes now begins no earlier. */
  nowNs: number;
}

/** State of the device that a stage is on. */
export const deviceAt = (problem: LorappProblem, state: LorappState, stage: number): DeviceState =>
  state.devices[problem.deviceOfStage[stage]!]!;

export const presentRound = ({ rounds }: GroupState): Round => rounds[rounds.length - 1]!;

/** The round of a group that an entry belongs to. */
export const roundOf = ({ groups }: LorappState, { group, round }: { readonly group: number; readonly round: number }): Round =>
  groups[group]!.rounds.find(({ number }) => number === round)!;

/** A round has begun once its microbatches have numbers. */
export const hasBegun = ({ numbers }: GroupState): boolean => numbers.length > 0;

/** The next round's turns: the next one of every adapter of the group that is not through, nor still in another group's round. */
export const nextTurns = ({ workload }: LorappProblem, { groups, nextIterations }: LorappState, group: GroupState): Turn[] =>
  group.members
    .map((adapter) => ({ adapter, iteration: nextIterations[adapter]! }))
    .filter(({ adapter, iteration }) => iteration < turnCount(workload.adapters[adapter]!) && !groups.some((other) => other !== group && isIn(other, adapter)));

/** Whether an adapter is in the present round of a group, and that has begun. */
const isIn = (group: GroupState, adapter: number): boolean => hasBegun(group) && presentRound(group).turns.some((turn) => turn.adapter === adapter);

const createRound = ({ workload: { adapters }, deviceOfStage }: LorappProblem, number: number, turns: readonly Turn[]): Round => {
  const training = turns.filter(({ adapter, iteration }) => !isClosing(adapters[adapter]!, iteration));
  const microbatches = Math.max(0, ...training.map(({ adapter }) => adapters[adapter]!.microbatches));
  const evaluations = turns.reduce((sum, { adapter, iteration }) => sum + evaluationOf(adapters[adapter]!, iteration).length, 0);
  const everyStage = <T>(value: T): T[] => deviceOfStage.map(() => value);
  return {
    number,
    turns,
    microbatches,
    evaluations,
    clips: training.some(({ adapter }) => adapters[adapter]!.clips === true),
    pendingBackwards: everyStage(microbatches),
    pendingEvaluations: everyStage(evaluations),
    pendingSteps: everyStage(true),
    gradientsNs: 0,
  };
};

/** Begins the group's next round, which starts no earlier than `readyNs`. */
export const beginRound = (state: GroupState, problem: LorappProblem, turns: readonly Turn[], readyNs: number): void => {
  const number = state.rounds.length === 0 ? 0 : presentRound(state).number + 1;
  state.rounds.push(createRound(problem, number, turns));
  state.released = 0;
  state.numbers = [];
  state.readyNs = readyNs;
};

/** Makes a group's present round anew after its members have changed, unless it has begun; it starts no earlier than `readyNs`. */
export const renewRound = (problem: LorappProblem, state: LorappState, group: GroupState, readyNs: number): void => {
  if (hasBegun(group)) return;
  const turns = nextTurns(problem, state, group);
  const before = group.rounds.pop()!;
  group.rounds.push(createRound(problem, before.number, turns));
  const isNew = turns.some(({ adapter }) => !before.turns.some((turn) => turn.adapter === adapter));
  if (isNew) group.readyNs = Math.max(group.readyNs, readyNs);
};

/** A group that has not entered yet; its first round starts no earlier than `readyNs`. */
export const addGroup = (problem: LorappProblem, state: LorappState, members: readonly number[], readyNs: number): void => {
  const group: GroupState = { members: [...members], rounds: [], released: 0, numbers: [], readyNs: 0, workNs: 0, latencyNs: 0 };
  state.order.push(state.groups.push(group) - 1);
  beginRound(group, problem, nextTurns(problem, state, group), readyNs);
};

/** The state before anything has entered the pipeline. */
export const startLorapp = (problem: LorappProblem): LorappState => {
  const { adapters } = problem.workload;
  const state: LorappState = {
    groups: [],
    nextIterations: adapters.map(firstIterationOf),
    ended: null,
    devices: problem.memoryBudgets.map(() => ({ freeNs: 0, heldBytes: 0, transientBytes: 0 })),
    stages: problem.deviceOfStage.map(() => ({ forwards: [], backwards: [], waiting: [], steps: [] })),
    inFlight: 0,
    dueNs: 0,
    leadNs: 0,
    lastGroup: -1,
    order: [],
    nowNs: 0,
  };
  for (const group of problem.groups) addGroup(problem, state, group, Math.max(...group.map((adapter) => adapters[adapter]!.arrivalNs)));
  return state;
};
