import { KIND, STREAM, STREAMS, kindName, streamOf, type Stream } from './op.ts';
import type { Plan } from './plan.ts';

/** A stream that never gets past an op. */
export interface StuckStream {
  readonly device: number;
  readonly stream: Stream;
  readonly position: number;
}

/**
 * Runs the plan without time: every stream executes its ops in order, a compute op waits for its inputs, and a transfer
 * happens when its producer is done and both its send and its receive are next on their streams. Returns the streams
 * that are left with ops, by the op they wait at.
 */
export const findDeadlock = (plan: Plan): StuckStream[] => {
  const run = startRun(plan);
  let progressed = true;
  while (progressed) {
    progressed = false;
    for (const device of plan.programs.keys()) {
      if (advanceCompute(run, device)) progressed = true;
      if (advanceSends(run, device)) progressed = true;
    }
  }
  return plan.programs.flatMap((_, device) =>
    STREAMS.flatMap((stream, code) => {
      const position = run.queues[device]![code]![run.next[device]![code]!];
      return position === undefined ? [] : [{ device, stream, position }];
    }),
  );
};

interface Run {
  readonly plan: Plan;
  /** Positions of each device's ops by stream. */
  readonly queues: readonly (readonly number[][])[];
  readonly next: number[][];
  /** Done ops by kind, stage and microbatch; compute and receive only. */
  readonly done: Uint8Array;
}

const startRun = (plan: Plan): Run => ({
  plan,
  queues: plan.programs.map((program) => {
    const queues: number[][] = STREAMS.map(() => []);
    for (let position = 0; position < program.length; position++) {
      queues[STREAM[streamOf(kindName(program.kind[position]!))]]!.push(position);
    }
    return queues;
  }),
  next: plan.programs.map(() => STREAMS.map(() => 0)),
  done: new Uint8Array(7 * plan.stages.length * plan.microbatches.length),
});

const cellOf = ({ plan }: Run, kind: number, stage: number, microbatch: number): number =>
  (kind * plan.stages.length + stage) * plan.microbatches.length + microbatch;

const isReady = (run: Run, device: number, position: number): boolean => {
  const program = run.plan.programs[device]!;
  const kind = program.kind[position]!;
  if (kind !== KIND.forward && kind !== KIND.backward) return true;
  const stage = program.stage[position]!;
  const microbatch = program.operand[position]!;
  const forward = kind === KIND.forward;
  if (!forward && run.done[cellOf(run, KIND.forward, stage, microbatch)] === 0) return false;
  const from = forward ? stage - 1 : stage + 1;
  const source = run.plan.stages[from];
  if (source === undefined) return true;
  const input =
    source.device === device
      ? cellOf(run, kind, from, microbatch)
      : cellOf(run, forward ? KIND.receiveForward : KIND.receiveBackward, stage, microbatch);
  return run.done[input] === 1;
};

const advanceCompute = (run: Run, device: number): boolean => {
  const program = run.plan.programs[device]!;
  const queue = run.queues[device]![STREAM.compute]!;
  const next = run.next[device]!;
  const first = next[STREAM.compute]!;
  while (next[STREAM.compute]! < queue.length && isReady(run, device, queue[next[STREAM.compute]!]!)) {
    const position = queue[next[STREAM.compute]!++]!;
    const kind = program.kind[position]!;
    if (kind === KIND.forward || kind === KIND.backward) {
      run.done[cellOf(run, kind, program.stage[position]!, program.operand[position]!)] = 1;
    }
  }
  return next[STREAM.compute]! > first;
};

const advanceSends = (run: Run, device: number): boolean => {
  const program = run.plan.programs[device]!;
  const queue = run.queues[device]![STREAM.send]!;
  const next = run.next[device]!;
  const first = next[STREAM.send]!;
  while (next[STREAM.send]! < queue.length && transfer(run, program.kind, program.stage, program.operand, queue[next[STREAM.send]!]!)) {
    next[STREAM.send]!++;
  }
  return next[STREAM.send]! > first;
};

/** Completes a send whose producer is done and whose receive is next on the peer's receive stream. */
const transfer = (run: Run, kinds: Uint8Array, stages: Uint16Array, operands: Uint32Array, position: number): boolean => {
  const stage = stages[position]!;
  const microbatch = operands[position]!;
  const forward = kinds[position] === KIND.sendForward;
  if (run.done[cellOf(run, forward ? KIND.forward : KIND.backward, stage, microbatch)] === 0) return false;
  const to = forward ? stage + 1 : stage - 1;
  const peer = run.plan.stages[to]!.device;
  const program = run.plan.programs[peer]!;
  const awaited = run.queues[peer]![STREAM.receive]![run.next[peer]![STREAM.receive]!];
  const receive = forward ? KIND.receiveForward : KIND.receiveBackward;
  if (awaited === undefined) return false;
  if (program.kind[awaited] !== receive || program.stage[awaited] !== to || program.operand[awaited] !== microbatch) return false;
  run.done[cellOf(run, receive, to, microbatch)] = 1;
  run.next[peer]![STREAM.receive]!++;
  return true;
};
