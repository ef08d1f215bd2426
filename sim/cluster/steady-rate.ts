/**
 * How fast the groups of a pipeline go round once it is filled: some rounds of them are planned and simulated op by op.
 * Groups of the same kinds of jobs go equally fast, so this is done once for each set of them.
 */
import * as E from 'fp-ts/lib/Either.js';
import { lowerTransfers } from '../../core/plan/lower-transfers.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { extendLorapp } from '../../core/planners/lorapp.ts';
import { startLorapp } from '../../core/planners/lorapp-state.ts';
import { createPlanWriter } from '../../core/planners/plan-writer.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { simulate } from '../engine/simulate.ts';
import { costByKind } from '../../core/planners/cost-by-kind.ts';
import type { PipelineModel } from './pipeline-model.ts';

/** Jobs that share microbatches, by kind. */
export interface KindGroup {
  readonly kinds: readonly number[];
  readonly microbatches: number;
}

export interface SteadyRate {
  /** Time from one iteration end to the next of the jobs of each group. */
  readonly periodNs: readonly number[];
  /** Time of a group's first iteration, from when it is let in. */
  readonly firstNs: readonly number[];
  /** Devices that compute, on average. */
  readonly busyDevices: number;
  readonly tokensPerNs: number;
}

export type RateOf = (groups: readonly KindGroup[]) => SteadyRate;

/** Rounds that are simulated, and those at the start that are not counted. */
const ROUNDS = 12;
const WARM_UP = 4;

export const steadyRates = (model: PipelineModel): RateOf => {
  const known = new Map<string, SteadyRate>();
  return (groups) => {
    const keys = groups.map(({ kinds, microbatches }) => `${microbatches}:${[...kinds].sort((a, b) => a - b).join(',')}`);
    const order = [...keys.keys()].sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b));
    const key = order.map((group) => keys[group]).join(' ');
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = measure(model, order.map((group) => groups[group]!))));
    const placeOf = (group: number): number => order.indexOf(group);
    return { ...found, periodNs: groups.map((_, group) => found.periodNs[placeOf(group)]!), firstNs: groups.map((_, group) => found.firstNs[placeOf(group)]!) };
  };
};

const measure = (model: PipelineModel, groups: readonly KindGroup[]): SteadyRate => {
  const kinds = groups.flatMap((group) => group.kinds);
  const adapters = groups.flatMap(({ kinds: own, microbatches }) => own.map((kind) => ({ ...model.workload(kind, microbatches), iterations: ROUNDS, firstIteration: 0, arrivalNs: 0 })));
  let next = 0;
  const members = groups.map((group) => group.kinds.map(() => next++));
  const cost = costByKind(model.times.cost, (adapter) => kinds[adapter]!);
  const problem = {
    workload: { adapters },
    groups: members,
    deviceOfStage: model.times.deviceOfStage,
    cost,
    transferNs: model.times.transferNs,
    memoryBudgets: model.budgetBytes,
    order: '1f1b',
    release: 'staggered',
    extraInFlight: 'auto',
  } as const;
  const writer = createPlanWriter(problem.workload, model.experiment.cluster.devices.map(({ name }) => name), model.stages);
  extendLorapp(problem, startLorapp(problem), writer);
  const trace = simulate(lowerTransfers(writer.build('lorapp'), cost, model.times.transferNs), cost, model.experiment.cluster);
  if (E.isLeft(trace)) throw new Error('the plan deadlocks');
  return read(trace.right, members, groups.map(({ kinds: own, microbatches }) => tokensOf(model, own, microbatches)));
};

const tokensOf = (model: PipelineModel, kinds: readonly number[], microbatches: number): number =>
  kinds.reduce((sum, kind) => {
    const { part } = model.workload(kind, microbatches);
    return sum + Array.from({ length: microbatches }, (_, index) => part(0, index).tokens).reduce((all, tokens) => all + tokens, 0);
  }, 0);

/** Counts from when every group has made its first rounds to when the first group has made all of its own. */
const read = (trace: Trace, members: readonly (readonly number[])[], tokens: readonly number[]): SteadyRate => {
  const { spans } = trace;
  const ends = members.map(([adapter]) => roundEnds(trace, adapter!));
  const fromNs = Math.max(...ends.map((each) => each[WARM_UP]!));
  const toNs = Math.min(...ends.map((each) => each.at(-1)!));
  const inWindow = ends.map((each) => each.filter((endNs) => endNs >= fromNs && endNs <= toNs));
  const periodNs = inWindow.map((each, group) => (each.length > 1 ? (each.at(-1)! - each[0]!) / (each.length - 1) : (ends[group]!.at(-1)! - ends[group]![0]!) / (ROUNDS - 1)));
  let busyNs = 0;
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute) continue;
    busyNs += Math.max(0, Math.min(toNs, spans.endNs[row]!) - Math.max(fromNs, spans.startNs[row]!));
  }
  return {
    periodNs,
    firstNs: ends.map((each, group) => firstForward(trace, members[group]!, each[0]!)),
    busyDevices: busyNs / (toNs - fromNs),
    tokensPerNs: tokens.reduce((sum, each, group) => sum + each / periodNs[group]!, 0),
  };
};

const roundEnds = ({ spans }: Trace, adapter: number): number[] =>
  [...spans.kind.keys()].filter((row) => spans.stream[row] === STREAM.compute && spans.kind[row] === KIND.step && spans.stage[row] === 0 && spans.operand[row] === adapter).map((row) => spans.endNs[row]!);

/** From the first forward of a group to the end of its first round. */
const firstForward = ({ plan: { microbatches }, spans }: Trace, members: readonly number[], endNs: number): number => {
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute || spans.kind[row] !== KIND.forward || spans.stage[row] !== 0) continue;
    const part = microbatches.partStart[spans.operand[row]!]!;
    if (members.includes(microbatches.partAdapter[part]!)) return endNs - spans.startNs[row]!;
  }
  return endNs;
};
