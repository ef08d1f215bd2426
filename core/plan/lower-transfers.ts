/**
 * Lowering pass: inserts sends and receives where a microbatch crosses devices.
 *
 * A send follows its producer at once. Its receive is posted on the consumer's receive stream at the moment the data
 * is expected, found by replaying the compute ops. All streams of all devices then agree with one order in time, so
 * transfers cannot deadlock even where a send waits for its receive to be posted.
 */
import type { CostModel } from '../cost-model.ts';
import { createProgramBuilder } from './builders.ts';
import { KIND, OP_KINDS } from './op.ts';
import { neighboursOf } from './pipelines.ts';
import type { Plan, Program } from './plan.ts';
import { replayCompute, type DeviceTimes } from './replay.ts';

/** A receive to be posted on a device at the time its data is sent. */
interface Posting {
  readonly kind: number;
  readonly stage: number;
  readonly microbatch: number;
  readonly timeNs: number;
}

/** The plan with transfers; one without them where all stages share a device is returned unchanged in content. */
export const lowerTransfers = (
  plan: Plan,
  cost: CostModel,
  transferNs: (fromStage: number, toStage: number, bytes: number) => number,
): Plan => {
  if (!crossesDevices(plan)) return plan;
  const times = replayCompute(plan, cost, transferNs);
  const handOver = handOvers(plan);
  const postings = plan.programs.map((): Posting[][] => []);
  for (const [device, program] of plan.programs.entries()) collectPostings(plan, handOver, program, times[device]!, postings);
  return {
    ...plan,
    programs: plan.programs.map((program, device) =>
      insertTransfers(handOver, program, times[device]!, mergeByTime(postings[device]!)),
    ),
  };
};

/** Whether any stage is on another device than the one before it. */
const crossesDevices = ({ stages }: Plan): boolean => {
  const { previous } = neighboursOf(stages);
  return stages.some(({ device }, stage) => previous[stage]! >= 0 && stages[previous[stage]!]!.device !== device);
};

/** How an op's result crosses to another device: kinds of its send and receive, and the stage that takes it in. */
interface HandOver {
  readonly send: number;
  readonly receive: number;
  readonly to: number;
}

/** Hand-over of an op of a kind on a stage; null where the result stays on the device or goes nowhere. */
type HandOverOf = (kind: number, stage: number) => HandOver | null;

/** What a pass makes is sent on when it is complete: after the sum over tensor-parallel ranks, where there is one. */
const handOvers = (plan: Plan): HandOverOf => {
  const neighbours = neighboursOf(plan.stages);
  const has = (kind: number): boolean => plan.programs.some((program) => program.kind.includes(kind));
  const summedForward = has(KIND.allReduceForward);
  const summedBackward = has(KIND.allReduceBackward);
  const across = (stage: number, to: number, kinds: Pick<HandOver, 'send' | 'receive'>): HandOver | null =>
    to < 0 || plan.stages[to]!.device === plan.stages[stage]!.device ? null : { ...kinds, to };
  const forward = { send: KIND.sendForward, receive: KIND.receiveForward };
  const backward = { send: KIND.sendBackward, receive: KIND.receiveBackward };
  const find: HandOverOf = (kind, stage) => {
    switch (kind) {
      case KIND.forward:
        return summedForward ? null : across(stage, neighbours.next[stage]!, forward);
      case KIND.allReduceForward:
        return across(stage, neighbours.next[stage]!, forward);
      case KIND.backward:
      case KIND.backwardInput:
        return summedBackward ? null : across(stage, neighbours.previous[stage]!, backward);
      case KIND.allReduceBackward:
        return across(stage, neighbours.previous[stage]!, backward);
      default:
        return null;
    }
  };
  const table = OP_KINDS.map((_, kind) => plan.stages.map((__, stage) => find(kind, stage)));
  return (kind, stage) => table[kind]![stage]!;
};

const collectPostings = (plan: Plan, handOverOf: HandOverOf, program: Program, times: DeviceTimes, postings: Posting[][][]): void => {
  const own = postings.map((): Posting[] => []);
  for (let position = 0; position < program.length; position++) {
    const handOver = handOverOf(program.kind[position]!, program.stage[position]!);
    if (handOver === null) continue;
    own[plan.stages[handOver.to]!.device]!.push({
      kind: handOver.receive,
      stage: handOver.to,
      microbatch: program.operand[position]!,
      timeNs: times.endNs[position]!,
    });
  }
  for (const [device, list] of own.entries()) if (list.length > 0) postings[device]!.push(list);
};

/** Merges lists that are each in order of time; at equal times the earlier list goes first. */
const mergeByTime = (lists: readonly (readonly Posting[])[]): Posting[] => {
  const next = lists.map(() => 0);
  const total = lists.reduce((sum, list) => sum + list.length, 0);
  const merged: Posting[] = [];
  while (merged.length < total) {
    let first = -1;
    for (const [index, list] of lists.entries()) {
      const head = list[next[index]!];
      if (head !== undefined && (first < 0 || head.timeNs < lists[first]![next[first]!]!.timeNs)) first = index;
    }
    merged.push(lists[first]![next[first]!++]!);
  }
  return merged;
};

const insertTransfers = (handOverOf: HandOverOf, program: Program, times: DeviceTimes, postings: readonly Posting[]): Program => {
  const builder = createProgramBuilder(program.length + 2 * postings.length);
  let posted = 0;
  for (let position = 0; position < program.length; position++) {
    for (; posted < postings.length && postings[posted]!.timeNs <= times.startNs[position]!; posted++) {
      const { kind, stage, microbatch } = postings[posted]!;
      builder.push(kind, stage, microbatch, 0);
    }
    const kind = program.kind[position]!;
    const stage = program.stage[position]!;
    builder.push(kind, stage, program.operand[position]!, program.iteration[position]!);
    const handOver = handOverOf(kind, stage);
    if (handOver !== null) builder.push(handOver.send, stage, program.operand[position]!, 0);
  }
  return builder.build();
};
