/**
 * Lowering pass: inserts sends and receives where a microbatch crosses devices.
 *
 * A send follows its producer at once. Its receive is posted on the consumer's receive stream at the moment the data
 * is expected, found by replaying the compute ops. All streams of all devices then agree with one order in time, so
 * transfers cannot deadlock even where a send waits for its receive to be posted.
 */
import type { CostModel } from '../cost-model.ts';
import { createProgramBuilder } from './builders.ts';
import { KIND } from './op.ts';
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
  const times = replayCompute(plan, cost, transferNs);
  const postings = plan.programs.map((): Posting[][] => []);
  for (const [device, program] of plan.programs.entries()) collectPostings(plan, program, times[device]!, postings);
  return {
    ...plan,
    programs: plan.programs.map((program, device) =>
      insertTransfers(plan, program, times[device]!, mergeByTime(postings[device]!)),
    ),
  };
};

/** The stage a compute op hands its result to, when that stage is on another device; null otherwise. */
const receiverOf = (plan: Plan, kind: number, stage: number): number | null => {
  const to = kind === KIND.forward ? stage + 1 : kind === KIND.backward ? stage - 1 : -1;
  const receiver = plan.stages[to];
  return receiver === undefined || receiver.device === plan.stages[stage]!.device ? null : to;
};

const collectPostings = (plan: Plan, program: Program, times: DeviceTimes, postings: Posting[][][]): void => {
  const own = postings.map((): Posting[] => []);
  for (let position = 0; position < program.length; position++) {
    const kind = program.kind[position]!;
    const to = receiverOf(plan, kind, program.stage[position]!);
    if (to === null) continue;
    own[plan.stages[to]!.device]!.push({
      kind: kind === KIND.forward ? KIND.receiveForward : KIND.receiveBackward,
      stage: to,
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

const insertTransfers = (plan: Plan, program: Program, times: DeviceTimes, postings: readonly Posting[]): Program => {
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
    if (receiverOf(plan, kind, stage) === null) continue;
    builder.push(kind === KIND.forward ? KIND.sendForward : KIND.sendBackward, stage, program.operand[position]!, 0);
  }
  return builder.build();
};
