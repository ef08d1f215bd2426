/**
 * How rounds end in LoRAPP: a stage steps once it has all gradients of the round and has evaluated the round's held-out
 * rows. Where gradients are clipped it also waits for their norm over all stages, and other groups fill the time.
 */
import type { ShapeCost } from '../shape-costs.ts';
import { opNs } from '../shape-costs.ts';
import {
  beginRound,
  deviceAt,
  nextTurns,
  renewRound,
  roundOf,
  type EndedRound,
  type GroupState,
  type InFlight,
  type LorappProblem,
  type LorappState,
  type Round,
  type WaitingStep,
} from './lorapp-state.ts';
import { isClosing } from '../workload.ts';
import type { OpWriter } from './plan-writer.ts';

/** A state that is being extended, and where its ops go. */
export interface Run {
  readonly problem: LorappProblem;
  readonly state: LorappState;
  readonly writer: OpWriter;
  readonly costOf: (shape: number) => ShapeCost;
}

/** Bytes of a squared norm on its way. */
const NORM_BYTES = 4;

/** Which round of which group. */
type RoundName = Pick<WaitingStep, 'group' | 'round'>;

/** Notes the end of a backward on a stage. The round's last one is followed by its norms, and its steps where nothing else is due. */
export const finishBackward = (run: Run, stage: number, entry: InFlight): void => {
  const { problem, state, writer } = run;
  const round = roundOf(state, entry);
  round.pendingBackwards[stage]! -= 1;
  if (round.pendingBackwards[stage] === 0 && round.clips) {
    // Gradients reach a device's lowest stage last.
    if (problem.deviceOfStage.indexOf(problem.deviceOfStage[stage]!) === stage) writer.norms(stage, round.turns);
    round.gradientsNs = Math.max(round.gradientsNs, deviceAt(problem, state, stage).freeNs);
    if (hasNorms(round)) round.pendingBackwards.forEach((_, each) => endStage(run, each, entry));
  } else endStage(run, stage, entry);
};

/** Notes the end of a held-out forward on a stage. */
export const finishEvaluation = (run: Run, stage: number, entry: InFlight): void => {
  roundOf(run.state, entry).pendingEvaluations[stage]! -= 1;
  endStage(run, stage, entry);
};

const hasNorms = ({ pendingBackwards }: Round): boolean => pendingBackwards.every((pending) => pending === 0);

/** Steps on a stage that is through with a round: at once, or when the norms are there. */
const endStage = (run: Run, stage: number, { group, round: number }: RoundName): void => {
  const { problem, state } = run;
  const round = roundOf(state, { group, round: number });
  if (round.pendingBackwards[stage]! > 0 || round.pendingEvaluations[stage]! > 0) return;
  if (!round.clips) return stepRound(run, stage, { group, round: number }, deviceAt(problem, state, stage).freeNs);
  if (!hasNorms(round)) return;
  const readyNs = round.gradientsNs + normNs(run.problem);
  // A round that is through here late, by its held-out rows, may have its norms earlier than one that waits already.
  const { steps } = state.stages[stage]!;
  steps.push({ group, round: number, readyNs });
  steps.sort((a, b) => a.readyNs - b.readyNs);
};

/** Time of a sum of one number over all devices: twice around a ring. */
const normNs = ({ memoryBudgets: devices, deviceOfStage, transferNs }: LorappProblem): number =>
  devices.length === 1 ? 0 : 2 * (devices.length - 1) * transferNs(deviceOfStage.length - 1, 0, NORM_BYTES);

/** The steps that end a round on a stage; after the first stage's the next round may enter. */
export const stepRound = ({ problem, state, writer }: Run, stage: number, name: RoundName, startNs: number): void => {
  const group = state.groups[name.group]!;
  const round = roundOf(state, name);
  const here = deviceAt(problem, state, stage);
  writer.step(stage, round.turns);
  here.freeNs = startNs;
  for (const { adapter, iteration } of round.turns) {
    if (!isClosing(problem.workload.adapters[adapter]!, iteration)) here.freeNs += opNs(problem.cost.step(stage, adapter));
  }
  round.pendingSteps[stage] = false;
  if (stage === 0) endRound(problem, state, group, { turns: round.turns, endNs: here.freeNs });
  group.rounds = group.rounds.filter(({ pendingSteps, turns }) => turns.length === 0 || pendingSteps.includes(true));
};

const endRound = (problem: LorappProblem, state: LorappState, group: GroupState, ended: EndedRound): void => {
  for (const { adapter, iteration } of ended.turns) state.nextIterations[adapter] = iteration + 1;
  state.ended = ended;
  beginRound(group, problem, nextTurns(problem, state, group), ended.endNs);
  // Adapters that have moved to another group meanwhile go on there.
  const moved = ended.turns.filter(({ adapter }) => !group.members.includes(adapter));
  for (const other of state.groups) if (moved.some(({ adapter }) => other.members.includes(adapter))) renewRound(problem, state, other, ended.endNs);
};
