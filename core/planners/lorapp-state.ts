import type { CostModel } from '../cost-model.ts';
import { firstIterationOf, type Workload } from '../workload.ts';
import type { Group } from './groups.ts';
import type { Turn } from './plan-writer.ts';

/** What LoRAPP plans for; constant over a run. */
export interface LorappProblem {
  readonly workload: Workload;
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
  /** Position in its round. */
  readonly index: number;
  readyNs: number;
}

/** A group's present round: one iteration of each of its adapters that still has any. */
export interface GroupState {
  turns: Turn[];
  /** Microbatches of the round, and how many of them have entered the pipeline. */
  microbatches: number;
  released: number;
  /** Numbers of the round's microbatches; empty until the first one is about to enter. */
  numbers: number[];
  /** When the round's first forward may start: the end of the last round's step, or the arrival. */
  readyNs: number;
  /** Backwards the round still needs, per stage. */
  pendingBackwards: number[];
  /** Time of the round's microbatches at their slowest device, one after another; 0 until the first round is numbered. */
  workNs: number;
  /** Time one round needs from its first forward to its last backward when alone. */
  latencyNs: number;
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
}

/** Everything in flight: plain data, so that planning can stop at any time and go on later, elsewhere. */
export interface LorappState {
  groups: GroupState[];
  devices: DeviceState[];
  stages: StageState[];
  inFlight: number;
  /** Staggered release: the next microbatch enters no earlier. */
  dueNs: number;
  /** Group that entered last; groups take turns. */
  lastGroup: number;
}

/** The next round's turns: the next iteration of every adapter of the group that is not through. */
export const nextTurns = (workload: Workload, group: Group, previous: readonly Turn[] | null): Turn[] =>
  group
    .map((adapter) => {
      if (previous === null) return { adapter, iteration: firstIterationOf(workload.adapters[adapter]!) };
      const last = previous.find((turn) => turn.adapter === adapter);
      return { adapter, iteration: last === undefined ? Infinity : last.iteration + 1 };
    })
    .filter(({ adapter, iteration }) => iteration < workload.adapters[adapter]!.iterations);

const roundMicrobatches = (workload: Workload, turns: readonly Turn[]): number =>
  Math.max(0, ...turns.map(({ adapter }) => workload.adapters[adapter]!.microbatches));

/** Makes `turns` the group's present round, to start no earlier than `readyNs`. */
export const beginRound = (state: GroupState, problem: LorappProblem, turns: Turn[], readyNs: number): void => {
  state.turns = turns;
  state.microbatches = roundMicrobatches(problem.workload, turns);
  state.released = 0;
  state.numbers = [];
  state.readyNs = readyNs;
  state.pendingBackwards = problem.deviceOfStage.map(() => state.microbatches);
};

const startGroup = (problem: LorappProblem, group: Group): GroupState => {
  const state: GroupState = {
    turns: [],
    microbatches: 0,
    released: 0,
    numbers: [],
    readyNs: 0,
    pendingBackwards: [],
    workNs: 0,
    latencyNs: 0,
  };
  const arrivalNs = Math.max(...group.map((adapter) => problem.workload.adapters[adapter]!.arrivalNs));
  beginRound(state, problem, nextTurns(problem.workload, group, null), arrivalNs);
  return state;
};

/** The state before anything has entered the pipeline. */
export const startLorapp = (problem: LorappProblem): LorappState => ({
  groups: problem.groups.map((group) => startGroup(problem, group)),
  devices: problem.memoryBudgets.map(() => ({ freeNs: 0, heldBytes: 0, transientBytes: 0 })),
  stages: problem.deviceOfStage.map(() => ({ forwards: [], backwards: [], waiting: [] })),
  inFlight: 0,
  dueNs: 0,
  lastGroup: -1,
});
