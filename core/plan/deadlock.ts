import { communicatorsOf, findWaits, type Communicators } from './collectives.ts';
import { KIND, OP_KINDS, STREAM, STREAM_OF_KIND, STREAMS, type Stream } from './op.ts';
import { neighboursOf, type Neighbours } from './pipelines.ts';
import type { Plan } from './plan.ts';

/** A stream that never gets past an op. */
export interface StuckStream {
  readonly device: number;
  readonly stream: Stream;
  readonly position: number;
}

/**
 * Runs the plan without time: every stream executes its ops in order, a compute op waits for its inputs, a transfer
 * happens when its producer is done and both its send and its receive are next on their streams, and a collective when
 * it is next on all its devices. Returns the streams that are left with ops, by the op they wait at.
 */
export const findDeadlock = (plan: Plan): StuckStream[] => {
  const run = startRun(plan);
  let progressed = true;
  while (progressed) {
    progressed = false;
    for (const device of plan.programs.keys()) {
      if (advanceCompute(run, device)) progressed = true;
      if (advanceSends(run, device)) progressed = true;
      if (advanceCollectives(run, device)) progressed = true;
    }
  }
  return plan.programs.flatMap((_, device) =>
    STREAMS.flatMap((stream, code) => {
      const position = headOf(run, device, code);
      return position === Infinity ? [] : [{ device, stream, position }];
    }),
  );
};

interface Run {
  readonly plan: Plan;
  readonly neighbours: Neighbours;
  readonly communicators: Communicators;
  readonly waits: readonly Int32Array[];
  /** Positions of each device's ops by stream. */
  readonly queues: readonly (readonly number[][])[];
  readonly next: number[][];
  /** Done ops by kind, stage and microbatch; compute and receive only. */
  readonly done: Uint8Array;
}

const startRun = (plan: Plan): Run => ({
  plan,
  neighbours: neighboursOf(plan.stages),
  communicators: communicatorsOf(plan.stages),
  waits: findWaits(plan),
  queues: plan.programs.map((program) => {
    const queues: number[][] = STREAMS.map(() => []);
    for (let position = 0; position < program.length; position++) {
      queues[STREAM_OF_KIND[program.kind[position]!]!]!.push(position);
    }
    return queues;
  }),
  next: plan.programs.map(() => STREAMS.map(() => 0)),
  done: new Uint8Array(OP_KINDS.length * plan.stages.length * plan.microbatches.length),
});

const cellOf = ({ plan }: Run, kind: number, stage: number, microbatch: number): number =>
  (kind * plan.stages.length + stage) * plan.microbatches.length + microbatch;

const isDone = (run: Run, kind: number, stage: number, microbatch: number): boolean =>
  run.done[cellOf(run, kind, stage, microbatch)] === 1;

/** Position of a stream's next op; infinite at its end. */
const headOf = ({ queues, next }: Run, device: number, stream: number): number =>
  queues[device]![stream]![next[device]![stream]!] ?? Infinity;

/** Whether the collectives an op waits for are done. */
const isPastWait = (run: Run, device: number, position: number): boolean =>
  headOf(run, device, STREAM.collective) > (run.waits[device]?.[position] ?? -1);

/** Whether the pass that a backward on the next stage makes is done: in one piece or its first half. */
const isBackwardDone = (run: Run, stage: number, microbatch: number): boolean =>
  isDone(run, KIND.backward, stage, microbatch) || isDone(run, KIND.backwardInput, stage, microbatch);

const isReady = (run: Run, device: number, position: number): boolean => {
  if (!isPastWait(run, device, position)) return false;
  const program = run.plan.programs[device]!;
  const stage = program.stage[position]!;
  const microbatch = program.operand[position]!;
  const { previous, next } = run.neighbours;
  const isLocal = (from: number): boolean => run.plan.stages[from]!.device === device;
  switch (program.kind[position]) {
    case KIND.forward: {
      const from = previous[stage]!;
      if (from < 0) return true;
      return isLocal(from) ? isDone(run, KIND.forward, from, microbatch) : isDone(run, KIND.receiveForward, stage, microbatch);
    }
    case KIND.backward:
    case KIND.backwardInput: {
      if (!isDone(run, KIND.forward, stage, microbatch)) return false;
      const from = next[stage]!;
      if (from < 0) return true;
      return isLocal(from) ? isBackwardDone(run, from, microbatch) : isDone(run, KIND.receiveBackward, stage, microbatch);
    }
    case KIND.backwardWeight:
      return isDone(run, KIND.backwardInput, stage, microbatch);
    default:
      return true;
  }
};

const isPass = (kind: number): boolean =>
  kind === KIND.forward || kind === KIND.backward || kind === KIND.backwardInput || kind === KIND.backwardWeight;

const advanceCompute = (run: Run, device: number): boolean => {
  const program = run.plan.programs[device]!;
  const next = run.next[device]!;
  const first = next[STREAM.compute]!;
  for (let position = headOf(run, device, STREAM.compute); position < Infinity && isReady(run, device, position); ) {
    const kind = program.kind[position]!;
    if (isPass(kind)) run.done[cellOf(run, kind, program.stage[position]!, program.operand[position]!)] = 1;
    next[STREAM.compute]!++;
    position = headOf(run, device, STREAM.compute);
  }
  return next[STREAM.compute]! > first;
};

const advanceSends = (run: Run, device: number): boolean => {
  const next = run.next[device]!;
  const first = next[STREAM.send]!;
  while (transfer(run, device, headOf(run, device, STREAM.send))) next[STREAM.send]!++;
  return next[STREAM.send]! > first;
};

/** Completes a send whose producer is done and whose receive is next on the peer's receive stream. */
const transfer = (run: Run, device: number, position: number): boolean => {
  if (position === Infinity || !isPastWait(run, device, position)) return false;
  const { kind, stage: stages, operand } = run.plan.programs[device]!;
  const stage = stages[position]!;
  const microbatch = operand[position]!;
  const forward = kind[position] === KIND.sendForward;
  if (!(forward ? isDone(run, KIND.forward, stage, microbatch) : isBackwardDone(run, stage, microbatch))) return false;
  const to = (forward ? run.neighbours.next : run.neighbours.previous)[stage]!;
  const peer = run.plan.stages[to]!.device;
  const program = run.plan.programs[peer]!;
  const awaited = headOf(run, peer, STREAM.receive);
  const receive = forward ? KIND.receiveForward : KIND.receiveBackward;
  if (awaited === Infinity) return false;
  if (program.kind[awaited] !== receive || program.stage[awaited] !== to || program.operand[awaited] !== microbatch) return false;
  run.done[cellOf(run, receive, to, microbatch)] = 1;
  run.next[peer]![STREAM.receive]!++;
  return true;
};

/** Completes the collective that is next on a device if it is next, and ready, on all devices of its communicator. */
const advanceCollectives = (run: Run, device: number): boolean => {
  const position = headOf(run, device, STREAM.collective);
  if (position === Infinity) return false;
  const { kind, stage } = run.plan.programs[device]!;
  const communicator = run.communicators.of(kind[position]!, stage[position]!);
  const members = run.communicators.members[communicator]!;
  const isPosted = (member: number): boolean => {
    const head = headOf(run, member, STREAM.collective);
    if (head === Infinity || headOf(run, member, STREAM.compute) < head) return false;
    const program = run.plan.programs[member]!;
    return program.kind[head] === kind[position] && run.communicators.of(program.kind[head]!, program.stage[head]!) === communicator;
  };
  if (!members.every(isPosted)) return false;
  for (const member of members) run.next[member]![STREAM.collective]!++;
  return true;
};
