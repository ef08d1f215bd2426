/**
 * LoRAPP (paper section 3.2) as an incremental list scheduler: microbatches of different adapters fill each other's
 * bubbles, because only iterations of the same adapter depend on each other.
 *
 * Every stage takes, at the earliest moment it can do anything, a backward before a forward (1F1B order; the reverse
 * in GPipe order). That alone bunches adapters up and misses the paper's bubble formula, so microbatches are *released*
 * into the pipeline at staggered, periodic times: with equal work adapter a enters at a·P/L, where the period P is
 * max(D + N − 1, L·N)·(T_f + T_b). Unequal work generalises this: microbatches enter one slot (their time at the
 * slowest device) apart, and after each round a pad spreads what the longest round alone would leave idle. Where there is
 * work to spare they enter ahead of their slots by the time that transfers take.
 *
 * Held-out rows that a round evaluates enter behind its training microbatches, in the same rhythm, and go forward only.
 */
import { memoizeShapeCosts, type ShapeCost } from '../shape-costs.ts';
import { finishBackward, finishEvaluation, stepRound, type Run } from './lorapp-rounds.ts';
import { deviceAt, presentRound, roundOf, type GroupState, type InFlight, type LorappProblem, type LorappState, type Round, type StageState } from './lorapp-state.ts';
import type { OpWriter } from './plan-writer.ts';

/** The op a stage would start next. */
interface Choice {
  readonly startNs: number;
  readonly kind: 'forward' | 'backward' | 'release' | 'step';
  readonly group: number;
}

/**
 * Appends ops in order of their start until every further op would start after `horizonNs`, and returns the state from
 * which to go on; `state` itself is left as it was. With an infinite horizon the plan is complete.
 */
export const extendLorapp = (problem: LorappProblem, state: LorappState, writer: OpWriter, horizonNs = Infinity): LorappState =>
  extend(problem, state, writer, { horizonNs, stopsAtRoundEnd: false });

/** The same, but no further than to the end of a round, where a job may come or go: `ended` says which. */
export const extendToRoundEnd = (problem: LorappProblem, state: LorappState, writer: OpWriter, horizonNs: number): LorappState =>
  extend(problem, state, writer, { horizonNs, stopsAtRoundEnd: true });

/** The same, no further than until `isEnough` says so: asked before every op. Nothing that is not appended has begun. */
export const extendUntil = (problem: LorappProblem, state: LorappState, writer: OpWriter, isEnough: () => boolean): LorappState =>
  extend(problem, state, writer, { horizonNs: Infinity, stopsAtRoundEnd: true, isEnough });

interface Extent {
  readonly horizonNs: number;
  readonly stopsAtRoundEnd: boolean;
  readonly isEnough?: () => boolean;
}

const extend = (problem: LorappProblem, before: LorappState, writer: OpWriter, { horizonNs, stopsAtRoundEnd, isEnough }: Extent): LorappState => {
  const costOf = memoizeShapeCosts(problem.cost, problem.deviceOfStage.length, writer.microbatches.shapeAt);
  const state: LorappState = { ...structuredClone(before), ended: null };
  const run: Run = { problem, state, writer, costOf };
  for (;;) {
    if ((stopsAtRoundEnd && state.ended !== null) || isEnough?.() === true) return state;
    const next = earliestChoice(run);
    if (next === null || next.choice.startNs > horizonNs) return state;
    state.nowNs = Math.max(state.nowNs, next.choice.startNs);
    perform(run, next.stage, next.choice);
  }
};

/** True once every iteration of every adapter is planned. */
export const isComplete = (state: LorappState): boolean =>
  state.inFlight === 0 &&
  state.stages.every(({ steps }) => steps.length === 0) &&
  state.groups.every((group) => presentRound(group).turns.length === 0);

const earliestChoice = (run: Run): { stage: number; choice: Choice } | null => {
  let best: { stage: number; choice: Choice } | null = null;
  const { deviceOfStage, order } = run.problem;
  // Of stages that share a device and could start together, the later one goes first: what is nearly through frees memory.
  const goesFirst = (stage: number, choice: Choice, other: { stage: number; choice: Choice }): boolean =>
    choice.startNs < other.choice.startNs ||
    (choice.startNs === other.choice.startNs &&
      deviceOfStage[stage] === deviceOfStage[other.stage] &&
      !isPreferred(order, other.choice, choice));
  for (let stage = 0; stage < deviceOfStage.length; stage++) {
    const choice = chooseOp(run, stage);
    if (choice !== null && (best === null || goesFirst(stage, choice, best))) best = { stage, choice };
  }
  return best;
};

/** Whether a device in this order would rather do `one` than `other`. */
const isPreferred = (order: LorappProblem['order'], one: Choice, other: Choice): boolean =>
  (order === '1f1b') === (one.kind === 'backward') && (one.kind === 'backward') !== (other.kind === 'backward');

/** A step goes first where it can: whatever comes next on the stage may need its weights. */
const chooseOp = (run: Run, stage: number): Choice | null => {
  const { freeNs } = deviceAt(run.problem, run.state, stage);
  const [waiting] = run.state.stages[stage]!.steps;
  const pass = choosePass(run, stage);
  if (waiting === undefined) return pass;
  const startNs = Math.max(freeNs, waiting.readyNs);
  return pass !== null && pass.startNs < startNs ? pass : { startNs, kind: 'step', group: waiting.group };
};

const choosePass = (run: Run, stage: number): Choice | null => {
  const { freeNs } = deviceAt(run.problem, run.state, stage);
  const head = run.state.stages[stage]!.backwards[0];
  const backward: Choice | null =
    head === undefined ? null : { startNs: Math.max(freeNs, head.readyNs), kind: 'backward', group: head.group };
  const forward = stage === 0 ? chooseRelease(run) : chooseForward(run, stage);
  if (backward === null || forward === null) return backward ?? forward;
  const [first, second] = run.problem.order === '1f1b' ? [backward, forward] : [forward, backward];
  return first.startNs <= second.startNs ? first : second;
};

const fits = (run: Run, stage: number, shape: number, evaluated: boolean): boolean => {
  const { heldBytes, transientBytes } = deviceAt(run.problem, run.state, stage);
  const costs = run.costOf(shape);
  const keptBytes = evaluated ? 0 : costs.activationBytes[stage]!;
  const peakBytes = heldBytes + keptBytes + Math.max(transientBytes, costs.transientBytes[stage]!);
  return peakBytes <= run.problem.memoryBudgets[run.problem.deviceOfStage[stage]!]!;
};

const chooseForward = (run: Run, stage: number): Choice | null => {
  const { freeNs } = deviceAt(run.problem, run.state, stage);
  const head = run.state.stages[stage]!.forwards[0];
  if (head === undefined || !fits(run, stage, head.shape, head.evaluated)) return null;
  return { startNs: Math.max(freeNs, head.readyNs), kind: 'forward', group: head.group };
};

/** Which group's next microbatch enters the pipeline, and when: groups take turns among those that can start first. */
const chooseRelease = (run: Run): Choice | null => {
  const { problem, state } = run;
  const staggered = problem.release === 'staggered';
  if (state.inFlight >= inFlightLimit(problem)) return null;
  const earliestNs = Math.max(deviceAt(problem, state, 0).freeNs, staggered ? state.dueNs : 0);
  let best: Choice | null = null;
  const last = state.order.indexOf(state.lastGroup);
  for (let turn = 1; turn <= state.order.length; turn++) {
    const group = state.order[(last + turn) % state.order.length]!;
    const { released, readyNs } = state.groups[group]!;
    if (released === passesOf(presentRound(state.groups[group]!))) continue;
    const startNs = Math.max(earliestNs, readyNs);
    // Staggered, a round that has begun is finished first: its microbatches travel one slot apart.
    const begun = staggered && released > 0;
    if (begun || best === null || startNs < best.startNs) best = { startNs, kind: 'release', group };
    if (begun) break;
  }
  if (best === null) return null;
  const { released } = state.groups[best.group]!;
  const evaluated = released >= presentRound(state.groups[best.group]!).microbatches;
  return fits(run, 0, nextShape(run, best.group), evaluated) ? best : null;
};

/** Microbatches of a round; none where nothing is left to train. */
const passesOf = ({ microbatches, evaluations }: Round): number => microbatches + evaluations;

const inFlightLimit = ({ order, extraInFlight, deviceOfStage }: LorappProblem): number =>
  order === 'gpipe' || extraInFlight === 'auto' ? Infinity : deviceOfStage.length + extraInFlight;

/** Shape of the microbatch a group would release next; a round's microbatches get their numbers when it is first asked. */
const nextShape = (run: Run, group: number): number => {
  const round = run.state.groups[group]!;
  if (round.numbers.length === 0) numberRound(run, group, round);
  return run.writer.microbatches.shapeOf(round.numbers[round.released]!);
};

const numberRound = ({ problem, writer, costOf }: Run, group: number, state: GroupState): void => {
  const { turns, microbatches } = presentRound(state);
  const training = Array.from({ length: microbatches }, (_, index) => writer.addMicrobatch(group, turns, index));
  const heldout = turns.flatMap((turn) => writer.addEvaluation(group, turn));
  state.numbers = [...training, ...heldout];
  const costsOf = (numbers: readonly number[]): ShapeCost[] => numbers.map((microbatch) => costOf(writer.microbatches.shapeOf(microbatch)));
  const costs = costsOf(training);
  const evaluations = costsOf(heldout);
  const last = costs.at(-1);
  const trainingNs = costs.reduce((sum, each) => sum + slotNs(problem, each), 0);
  state.workNs = evaluations.reduce((sum, evaluation) => sum + forwardSlotNs(problem, evaluation), trainingNs);
  state.latencyNs = last === undefined ? state.workNs : Math.max(state.workNs, trainingNs - slotNs(problem, last) + last.pathNs);
};

/** Forward plus backward at the slowest device: a microbatch can follow another no faster. */
const slotNs = (problem: LorappProblem, { forwardNs, backwardNs }: ShapeCost): number =>
  slowestDeviceNs(problem, (stage) => forwardNs[stage]! + backwardNs[stage]!);

/** How long a forward alone keeps the slowest device. */
const forwardSlotNs = (problem: LorappProblem, { forwardNs }: ShapeCost): number => slowestDeviceNs(problem, (stage) => forwardNs[stage]!);

const slowestDeviceNs = ({ deviceOfStage, memoryBudgets }: LorappProblem, stageNs: (stage: number) => number): number => {
  const busyNs = memoryBudgets.map(() => 0);
  for (const [stage, device] of deviceOfStage.entries()) busyNs[device]! += stageNs(stage);
  return Math.max(...busyNs);
};

const perform = (run: Run, stage: number, choice: Choice): void => {
  switch (choice.kind) {
    case 'release':
      return release(run, choice);
    case 'forward':
      return forward(run, stage, run.state.stages[stage]!.forwards.shift()!, choice.startNs);
    case 'backward':
      return backward(run, stage, choice.startNs);
    case 'step':
      return stepRound(run, stage, run.state.stages[stage]!.steps.shift()!, choice.startNs);
  }
};

const release = (run: Run, { group, startNs }: Choice): void => {
  const { state } = run;
  const groupState = state.groups[group]!;
  const { number, microbatches } = presentRound(groupState);
  const shape = nextShape(run, group);
  const index = groupState.released++;
  const evaluated = index >= microbatches;
  const entering: InFlight = { microbatch: groupState.numbers[index]!, shape, group, round: number, index, evaluated, readyNs: startNs };
  state.inFlight++;
  state.lastGroup = group;
  spaceReleases(run, entering, startNs);
  forward(run, 0, entering, startNs);
};

/** Moves the time the next microbatch is due: one slot on, and the pad once a round has entered. */
const spaceReleases = ({ problem, state, costOf }: Run, { group, shape, evaluated }: InFlight, startNs: number): void => {
  const { rounds, released } = state.groups[group]!;
  const costs = costOf(shape);
  // Delayed releases keep their place in the rhythm and are caught up; an empty pipeline starts a new rhythm.
  const isFirst = state.inFlight === 1;
  if (isFirst) {
    state.dueNs = Math.max(state.dueNs + state.leadNs, startNs);
    state.leadNs = 0;
  }
  state.dueNs += (evaluated ? forwardSlotNs : slotNs)(problem, costs);
  const isLast = released === passesOf(rounds[rounds.length - 1]!);
  if (isLast) state.dueNs += padNs(state.groups);
  if (isFirst || isLast) lead(state, leadNs(problem, state.groups, costs));
};

const lead = (state: LorappState, ns: number): void => {
  state.dueNs -= ns - state.leadNs;
  state.leadNs = ns;
};

/**
 * How far microbatches enter ahead of their slots, so that transfers have time: the slots that a microbatch spends on the way
 * to a stage and back, for every stage. 0 where the groups have not as much more work than the longest round leaves idle, or
 * the first stage cannot hold so many microbatches: they would only bunch up.
 */
const leadNs = (problem: LorappProblem, groups: readonly GroupState[], costs: ShapeCost): number => {
  const ownNs = slotNs(problem, costs);
  const slots = costs.transferBytes.slice(1).reduce((sum, _, stage) => sum + Math.ceil(returnNs(problem, stage, costs) / ownNs), 0);
  if (slots === 0 || problem.order !== '1f1b') return 0;
  const { active, meanWorkNs, longestNs } = workOf(groups);
  const isSpare = active * meanWorkNs - longestNs >= slots * ownNs;
  return isSpare && canHold(problem, costs, slots + Math.ceil(costs.pathNs / ownNs)) ? slots * ownNs : 0;
};

/** Whether the first stage may hold that many microbatches of a shape. */
const canHold = (problem: LorappProblem, { activationBytes, transientBytes }: ShapeCost, count: number): boolean =>
  count <= inFlightLimit(problem) && count * activationBytes[0]! + transientBytes[0]! <= problem.memoryBudgets[problem.deviceOfStage[0]!]!;

/** To the stage after this one and back. */
const returnNs = ({ transferNs }: LorappProblem, stage: number, { transferBytes }: ShapeCost): number =>
  transferNs(stage, stage + 1, transferBytes[stage]!) + transferNs(stage + 1, stage, transferBytes[stage]!);

/** What the longest round leaves idle beyond the work of all groups, shared evenly between them. */
const padNs = (groups: readonly GroupState[]): number => {
  const { active, meanWorkNs, longestNs } = workOf(groups);
  return Math.max(0, longestNs / active - meanWorkNs);
};

const workOf = (groups: readonly GroupState[]): { readonly active: number; readonly meanWorkNs: number; readonly longestNs: number } => {
  const active = groups.filter((group) => presentRound(group).turns.length > 0);
  // Groups that have not entered yet are taken to be like those that have.
  const known = active.filter(({ workNs }) => workNs > 0);
  return {
    active: active.length,
    meanWorkNs: known.reduce((sum, { workNs }) => sum + workNs, 0) / known.length,
    longestNs: Math.max(...known.map(({ latencyNs }) => latencyNs)),
  };
};

const forward = (run: Run, stage: number, entry: InFlight, startNs: number): void => {
  const { state, problem, writer, costOf } = run;
  const costs = costOf(entry.shape);
  const here = deviceAt(problem, state, stage);
  const round = roundOf(state, entry);
  if (entry.evaluated) writer.evaluate(stage, entry.microbatch);
  else writer.forward(stage, entry.microbatch, round.turns);
  if (!entry.evaluated) here.heldBytes += costs.activationBytes[stage]!;
  here.transientBytes = Math.max(here.transientBytes, costs.transientBytes[stage]!);
  here.freeNs = entry.readyNs = startNs + costs.forwardNs[stage]!;
  if (stage + 1 < problem.deviceOfStage.length) {
    entry.readyNs += problem.transferNs(stage, stage + 1, costs.transferBytes[stage]!);
    state.stages[stage + 1]!.forwards.push(entry);
  } else if (entry.evaluated) state.inFlight--;
  else turnAround(problem.order, state.stages[stage]!, round, entry);
  if (entry.evaluated) finishEvaluation(run, stage, entry);
};

/** On the last stage a forward's backward may follow at once, in GPipe order once the round is complete. */
const turnAround = (order: LorappProblem['order'], last: StageState, round: Round, entry: InFlight): void => {
  if (order === '1f1b') {
    last.backwards.push(entry);
    return;
  }
  last.waiting.push(entry);
  const ready = last.waiting.filter(({ group }) => group === entry.group);
  if (ready.length < round.microbatches) return;
  last.waiting = last.waiting.filter(({ group }) => group !== entry.group);
  for (const waiting of ready) last.backwards.push({ ...waiting, readyNs: entry.readyNs });
};

const backward = (run: Run, stage: number, startNs: number): void => {
  const { problem, state, writer, costOf } = run;
  const here = deviceAt(problem, state, stage);
  const entry = state.stages[stage]!.backwards.shift()!;
  const costs = costOf(entry.shape);
  writer.backward(stage, entry.microbatch);
  here.heldBytes -= costs.activationBytes[stage]!;
  here.freeNs = entry.readyNs = startNs + costs.backwardNs[stage]!;
  if (stage > 0) {
    entry.readyNs += problem.transferNs(stage, stage - 1, costs.transferBytes[stage - 1]!);
    state.stages[stage - 1]!.backwards.push(entry);
  } else state.inFlight--;
  finishBackward(run, stage, entry);
};
