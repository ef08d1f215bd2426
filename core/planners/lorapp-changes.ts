/**
 * Changes to a LoRAPP plan while it is being extended: adapters come, go and change groups. What is in flight stays as it
 * is; a change counts from the next round of each adapter on, so the pipeline neither drains nor waits for it.
 *
 * The workload that problem and writer share grows with the plan: one entry for every stay of an adapter on the pipeline.
 */
import { firstIterationOf, turnCount, type AdapterWorkload } from '../workload.ts';
import { addGroup, hasBegun, presentRound, renewRound, type GroupState, type LorappProblem, type LorappState } from './lorapp-state.ts';
import type { OpWriter } from './plan-writer.ts';

/** A workload that entries are added to and cut short in. */
export interface GrowingWorkload {
  readonly adapters: AdapterWorkload[];
}

/** Everything a change touches. */
export interface ChangingPlan {
  readonly problem: LorappProblem & { readonly workload: GrowingWorkload };
  readonly writer: OpWriter;
}

/** Adds an adapter, in a group of its own, from its arrival on; returns its number in the plan. */
export const joinLorapp = ({ problem }: ChangingPlan, state: LorappState, adapter: AdapterWorkload): number => {
  const number = problem.workload.adapters.push(adapter) - 1;
  state.nextIterations[number] = firstIterationOf(adapter);
  // Groups are numbers in the plan and stay; one that nobody is in any more can be used again.
  const empty = state.groups.find(({ members, rounds }) => members.length === 0 && rounds.length === 1);
  if (empty === undefined) addGroup(problem, state, [number], adapter.arrivalNs);
  else {
    empty.members = [number];
    renewRound(problem, state, empty, adapter.arrivalNs);
  }
  return number;
};

/** Ends an adapter at its next iteration end; returns the iterations that will have been made. */
export const leaveLorapp = ({ problem, writer }: ChangingPlan, state: LorappState, adapter: number): number => {
  const present = state.groups.find((group) => isInRound(group, adapter));
  const iterations = state.nextIterations[adapter]! + (present === undefined ? 0 : 1);
  const whole = problem.workload.adapters[adapter]!;
  // One that makes all its iterations anyway ends as it would have ended, with the evaluation behind the last one.
  if (iterations >= whole.iterations && turnCount(whole) > whole.iterations) return whole.iterations;
  problem.workload.adapters[adapter] = { ...whole, iterations };
  for (const group of state.groups) {
    if (!group.members.includes(adapter)) continue;
    group.members = group.members.filter((member) => member !== adapter);
    renewRound(problem, state, group, 0);
  }
  for (const stage of problem.deviceOfStage.keys()) {
    if (!isStepDue(state, adapter, iterations - 1, stage)) writer.unload(stage, adapter);
  }
  return iterations;
};

/**
 * Puts adapters into these groups, which then take turns in this order, each adapter from its next iteration on. Who is named
 * nowhere stays where it is. Order matters where groups differ: like beside like leaves fewer bubbles.
 */
export const regroupLorapp = ({ problem }: ChangingPlan, state: LorappState, groups: readonly (readonly number[])[], nowNs: number): void => {
  const named = new Set(groups.flat());
  for (const group of state.groups) group.members = group.members.filter((member) => !named.has(member));
  const homes = groups.map((members) => {
    // The group in whose round most of them are keeps its rhythm.
    const home = bestHome(state, members);
    if (home === null) addGroup(problem, state, members, nowNs);
    else home.members = [...members];
    return home === null ? state.groups.length - 1 : state.groups.indexOf(home);
  });
  state.order = [...homes, ...state.order.filter((group) => !homes.includes(group))];
  for (const group of state.groups) renewRound(problem, state, group, nowNs);
};

const bestHome = (state: LorappState, members: readonly number[]): GroupState | null => {
  const shared = (group: GroupState): number => presentRound(group).turns.filter(({ adapter }) => members.includes(adapter)).length;
  const free = state.groups.filter((group) => group.members.length === 0);
  return free.reduce<GroupState | null>((best, group) => (best === null || shared(group) > shared(best) ? group : best), null);
};

const isInRound = (group: GroupState, adapter: number): boolean => hasBegun(group) && presentRound(group).turns.some((turn) => turn.adapter === adapter);

/** Whether the step of an iteration is still to be planned on a stage. */
const isStepDue = ({ groups }: LorappState, adapter: number, iteration: number, stage: number): boolean =>
  groups.some(({ rounds }) => rounds.some(({ turns, pendingSteps }) => pendingSteps[stage] && turns.some((turn) => turn.adapter === adapter && turn.iteration === iteration)));
