/** Compute streams, and the host streams that launch their kernels one op ahead. */
import { KIND, STREAM } from '../../core/plan/op.ts';
import type { Program } from '../../core/plan/plan.ts';
import { costRow } from './cost-tables.ts';
import {
  cellOf,
  closeSpan,
  isPastWait,
  markPending,
  openSpan,
  programOf,
  PROGRESS,
  seekStream,
  streamId,
  type Engine,
} from './engine.ts';
import { EVENT, pushEvent } from './event-queue.ts';
import { returnAfterCompute, takeForCompute } from './memory.ts';

/** Starts the next compute op of a device if the stream is free, its inputs are there and its first kernel is launched. */
export const tryCompute = (engine: Engine, device: number): void => {
  const stream = streamId(device, STREAM.compute);
  const program = programOf(engine, device);
  const position = engine.position[stream]!;
  if (engine.busy[stream] === 1 || position === program.length) return;
  if (engine.launchedNs[device]! > engine.queue.nowNs || !isPastWait(engine, device, position) || !areInputsReady(engine, program, position)) return;
  startCompute(engine, device, position);
};

/** Whether an op's data is on its device; a `load` waits for its job to arrive. */
const areInputsReady = (engine: Engine, program: Program, position: number): boolean => {
  const { previous, next } = engine.neighbours;
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  switch (program.kind[position]) {
    case KIND.forward:
      return previous[stage]! < 0 || isThere(engine, cellOf(engine, stage, operand), PROGRESS.inputArrived, previous[stage]!);
    case KIND.backward:
    case KIND.backwardInput: {
      const cell = cellOf(engine, stage, operand);
      if ((engine.progress[cell]! & PROGRESS.forwardDone) === 0) return false;
      return next[stage]! < 0 || isThere(engine, cell, PROGRESS.gradientArrived, next[stage]!);
    }
    case KIND.backwardWeight:
      return (engine.progress[cellOf(engine, stage, operand)]! & PROGRESS.backwardDone) !== 0;
    case KIND.load:
      return engine.plan.arrivalsNs[operand]! <= engine.queue.nowNs;
    default:
      return true;
  }
};

/** Whether what a neighbouring stage hands to a cell has arrived, or is done where both stages share a device. */
const isThere = (engine: Engine, cell: number, arrived: number, from: number): boolean => {
  const microbatches = engine.plan.microbatches.length;
  const stage = Math.floor(cell / microbatches);
  if (engine.deviceOfStage[from] !== engine.deviceOfStage[stage]) return (engine.progress[cell]! & arrived) !== 0;
  const done = from < stage ? PROGRESS.forwardDone : PROGRESS.backwardDone;
  return (engine.progress[cell + (from - stage) * microbatches]! & done) !== 0;
};

const startCompute = (engine: Engine, device: number, position: number): void => {
  const program = programOf(engine, device);
  const row = costRow(engine.costs, program.kind[position]!, program.stage[position]!, program.operand[position]!);
  const deviceNs = engine.costs.deviceNs[row]! + (engine.overlapNs[device]?.[position] ?? 0);
  const endNs = Math.max(engine.queue.nowNs + deviceNs, engine.hostFreeNs[device]!);
  engine.busy[streamId(device, STREAM.compute)] = 1;
  openSpan(engine, device, STREAM.compute);
  closeSpan(engine, device, STREAM.compute, endNs);
  pushEvent(engine.queue, endNs, EVENT.computeEnd, device);
  takeForCompute(engine, device, position);
  prepareLaunch(engine, device, position + 1);
};

/** Ends the running compute op of a device and moves on to the next. */
export const finishCompute = (engine: Engine, device: number): void => {
  const stream = streamId(device, STREAM.compute);
  const program = programOf(engine, device);
  const position = engine.position[stream]!;
  const kind = program.kind[position]!;
  if (kind === KIND.forward || kind === KIND.backward || kind === KIND.backwardInput) {
    const cell = cellOf(engine, program.stage[position]!, program.operand[position]!);
    engine.progress[cell]! |= kind === KIND.forward ? PROGRESS.forwardDone : PROGRESS.backwardDone;
  }
  returnAfterCompute(engine, device, position);
  engine.busy[stream] = 0;
  advanceCompute(engine, device, position + 1);
  markPending(engine, device, STREAM.send);
  markPending(engine, device, STREAM.collective);
};

/** Moves a compute stream to its next op and sets an alarm where that op waits for a job to arrive. */
export const advanceCompute = (engine: Engine, device: number, from: number): void => {
  seekStream(engine, device, STREAM.compute, from);
  markPending(engine, device, STREAM.compute);
  const program = programOf(engine, device);
  const position = engine.position[streamId(device, STREAM.compute)]!;
  if (position === program.length || program.kind[position] !== KIND.load) return;
  const arrivalNs = engine.plan.arrivalsNs[program.operand[position]!]!;
  if (arrivalNs > engine.queue.nowNs) pushEvent(engine.queue, arrivalNs, EVENT.wake, device);
};

/** Has the host launch the compute op at `from` or later as soon as it is free. */
export const prepareLaunch = (engine: Engine, device: number, from: number): void => {
  seekStream(engine, device, STREAM.host, from);
  const freeNs = engine.hostFreeNs[device]!;
  if (nextLaunchNs(engine, device) === 0) engine.launchedNs[device] = 0;
  else if (freeNs <= engine.queue.nowNs) launch(engine, device);
  else {
    engine.launchedNs[device] = Infinity;
    pushEvent(engine.queue, freeNs, EVENT.hostStart, device);
  }
};

/** Starts the launch of the kernels of the host stream's op. */
export const launch = (engine: Engine, device: number): void => {
  const { nowNs } = engine.queue;
  engine.hostFreeNs[device] = nowNs + nextLaunchNs(engine, device);
  openSpan(engine, device, STREAM.host);
  closeSpan(engine, device, STREAM.host, engine.hostFreeNs[device]);
  engine.launchedNs[device] = nowNs + engine.costs.firstLaunchNs[hostRow(engine, device)]!;
  if (engine.launchedNs[device] === nowNs) markPending(engine, device, STREAM.compute);
  else pushEvent(engine.queue, engine.launchedNs[device], EVENT.wake, device);
};

const nextLaunchNs = (engine: Engine, device: number): number => engine.costs.launchNs[hostRow(engine, device)]!;

/** Cost row of the host stream's op; the row of zeros at the end of the program. */
const hostRow = (engine: Engine, device: number): number => {
  const program = programOf(engine, device);
  const position = engine.position[streamId(device, STREAM.host)]!;
  return position === program.length
    ? engine.costs.zeroRow
    : costRow(engine.costs, program.kind[position]!, program.stage[position]!, program.operand[position]!);
};
