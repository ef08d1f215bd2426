/**
 * Send and receive streams. A transfer starts when the sender's stream has reached the send, its data is computed, and
 * the receiver's stream has reached the matching receive; both streams are busy until the last byte is there.
 */
import { MEMORY_CLASS } from '../../core/cost-model.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
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
import { boundaryBytes } from './cost-tables.ts';
import { EVENT, pushEvent } from './event-queue.ts';
import { changeMemory } from './memory.ts';
import { endFlow, startFlow } from './network.ts';

/** Posts the next send of a device if its data is there, and starts the transfer if the receive is posted too. */
export const trySend = (engine: Engine, device: number): void => {
  const stream = streamId(device, STREAM.send);
  const program = programOf(engine, device);
  const position = engine.position[stream]!;
  if (engine.busy[stream] === 1 || position === program.length) return;
  const stage = program.stage[position]!;
  const microbatch = program.operand[position]!;
  const isForward = program.kind[position] === KIND.sendForward;
  const done = isForward ? PROGRESS.forwardDone : PROGRESS.backwardDone;
  if ((engine.progress[cellOf(engine, stage, microbatch)]! & done) === 0 || !isPastWait(engine, device, position)) return;
  const receivingStage = (isForward ? engine.neighbours.next : engine.neighbours.previous)[stage]!;
  const cell = cellOf(engine, receivingStage, microbatch);
  engine.progress[cell]! |= isForward ? PROGRESS.inputSendPosted : PROGRESS.gradientSendPosted;
  const posted = isForward ? PROGRESS.inputReceivePosted : PROGRESS.gradientReceivePosted;
  if ((engine.progress[cell]! & posted) !== 0) startTransfer(engine, device, receivingStage);
};

/** Posts the next receive of a device, and starts the transfer if the send is posted too. */
export const tryReceive = (engine: Engine, device: number): void => {
  const stream = streamId(device, STREAM.receive);
  const program = programOf(engine, device);
  const position = engine.position[stream]!;
  if (engine.busy[stream] === 1 || position === program.length) return;
  const stage = program.stage[position]!;
  const microbatch = program.operand[position]!;
  const isForward = program.kind[position] === KIND.receiveForward;
  const cell = cellOf(engine, stage, microbatch);
  engine.progress[cell]! |= isForward ? PROGRESS.inputReceivePosted : PROGRESS.gradientReceivePosted;
  const posted = isForward ? PROGRESS.inputSendPosted : PROGRESS.gradientSendPosted;
  if ((engine.progress[cell]! & posted) === 0) return;
  const from = (isForward ? engine.neighbours.previous : engine.neighbours.next)[stage]!;
  startTransfer(engine, engine.deviceOfStage[from]!, stage);
};

const startTransfer = (engine: Engine, from: number, receivingStage: number): void => {
  const to = engine.deviceOfStage[receivingStage]!;
  engine.receivingStage[from] = receivingStage;
  const bytes = sentBytes(engine, from);
  engine.busy[streamId(from, STREAM.send)] = 1;
  engine.busy[streamId(to, STREAM.receive)] = 1;
  openSpan(engine, from, STREAM.send);
  openSpan(engine, to, STREAM.receive);
  changeMemory(engine, streamId(to, STREAM.receive), MEMORY_CLASS.communication, bytes);
  startFlow(engine.network, from, from * engine.network.deviceCount + to, bytes);
};

/** Frees the links of a device's flow; its last byte arrives one route latency later. `event`: the code handled. */
export const finishFlow = (engine: Engine, device: number, event: number): void => {
  const { network, queue } = engine;
  if (network.endEvent[device] !== event) return;
  endFlow(network, device);
  const latencyNs = network.routeLatencyNs[network.route[device]!]!;
  if (latencyNs === 0) finishTransfer(engine, device);
  else pushEvent(queue, queue.nowNs + latencyNs, EVENT.arrival, device);
};

/** Ends the running transfer of a sending device: both streams move on, and the receiver has its data. */
export const finishTransfer = (engine: Engine, from: number): void => {
  const sending = streamId(from, STREAM.send);
  const position = engine.position[sending]!;
  const { kind, operand } = programOf(engine, from);
  const stage = engine.receivingStage[from]!;
  const to = engine.deviceOfStage[stage]!;
  const arrived = kind[position] === KIND.sendForward ? PROGRESS.inputArrived : PROGRESS.gradientArrived;
  engine.progress[cellOf(engine, stage, operand[position]!)]! |= arrived;
  changeMemory(engine, sending, MEMORY_CLASS.communication, -sentBytes(engine, from));
  finishStream(engine, from, STREAM.send);
  finishStream(engine, to, STREAM.receive);
  markPending(engine, to, STREAM.compute);
};

const finishStream = (engine: Engine, device: number, stream: number): void => {
  const id = streamId(device, stream);
  closeSpan(engine, device, stream, engine.queue.nowNs);
  engine.busy[id] = 0;
  seekStream(engine, device, stream, engine.position[id]! + 1);
  markPending(engine, device, stream);
};

/** Bytes of a device's send that is under way. */
const sentBytes = (engine: Engine, from: number): number => {
  const { stage, operand } = programOf(engine, from);
  const position = engine.position[streamId(from, STREAM.send)]!;
  return boundaryBytes(engine.costs, stage[position]!, engine.receivingStage[from]!, operand[position]!);
};
