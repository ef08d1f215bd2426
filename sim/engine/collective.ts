/**
 * Collective streams. A collective starts when every device of its communicator has come to it, that is when the compute
 * ops before it are done there. Its bytes go round a ring of the devices as one flow each, and share links with whatever
 * else is under way; it ends on all devices at once, the latency of all its calls after the last flow.
 */
import { MEMORY_CLASS } from '../../core/cost-model.ts';
import { collectiveTime } from '../../core/cluster/collective-algorithm.ts';
import { isAllReduce } from '../../core/plan/collectives.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { collectiveRow } from './cost-tables.ts';
import { closeSpan, markPending, openSpan, programOf, seekStream, streamId, type Engine } from './engine.ts';
import { EVENT, pushEvent } from './event-queue.ts';
import { changeMemory } from './memory.ts';
import { endFlow, startFlow } from './network.ts';

/** Slot of a device's ring flow in the network; sends use the slots below. */
const slotOf = (engine: Engine, device: number): number => engine.network.deviceCount + device;

const communicatorAt = (engine: Engine, device: number, position: number): number => {
  const { kind, stage } = programOf(engine, device);
  return engine.collectives.communicators.of(kind[position]!, stage[position]!);
};

/** Posts the next collective of a device once the compute ops before it are done, and starts it if it is the last to come. */
export const tryCollective = (engine: Engine, device: number): void => {
  const stream = streamId(device, STREAM.collective);
  const program = programOf(engine, device);
  const position = engine.position[stream]!;
  if (engine.busy[stream] === 1 || position === program.length) return;
  if (engine.position[streamId(device, STREAM.compute)]! < position) return;
  const { isPosted, communicators } = engine.collectives;
  isPosted[device] = 1;
  const communicator = communicatorAt(engine, device, position);
  const members = communicators.members[communicator]!;
  const kind = program.kind[position]!;
  if (members.every((member) => isPosted[member] === 1 && agrees(engine, member, communicator, kind))) start(engine, communicator);
};

const agrees = (engine: Engine, device: number, communicator: number, kind: number): boolean => {
  const position = engine.position[streamId(device, STREAM.collective)]!;
  return programOf(engine, device).kind[position] === kind && communicatorAt(engine, device, position) === communicator;
};

const start = (engine: Engine, communicator: number): void => {
  const { communicators, groups, isPosted, flowsLeft, latencyNs } = engine.collectives;
  const members = communicators.members[communicator]!;
  const { network, costs } = engine;
  flowsLeft[communicator] = members.length;
  latencyNs[communicator] = 0;
  for (const [index, device] of members.entries()) {
    const stream = streamId(device, STREAM.collective);
    const program = programOf(engine, device);
    const position = engine.position[stream]!;
    const kind = program.kind[position]!;
    const row = collectiveRow(costs, kind, program.stage[position]!, program.operand[position]!);
    const size = { bytes: costs.collectiveBytes[row]!, calls: costs.collectiveCalls[row]! };
    const time = collectiveTime(groups[communicator]!, isAllReduce(kind), size);
    const route = device * network.deviceCount + members[(index + 1) % members.length]!;
    isPosted[device] = 0;
    engine.busy[stream] = 1;
    openSpan(engine, device, STREAM.collective);
    takeForCollective(engine, device, position);
    latencyNs[communicator] = Math.max(latencyNs[communicator], time.latencyNs);
    startFlow(network, slotOf(engine, device), route, time.wireBytes);
  }
};

/** A gathered stage's weights are there until the pass they are for has ended (memory.ts), a buffer until the collective has. */
const takeForCollective = (engine: Engine, device: number, position: number): void => {
  const { kind, stage } = programOf(engine, device);
  const stream = streamId(device, STREAM.collective);
  changeMemory(engine, stream, MEMORY_CLASS.communication, bufferBytes(engine, device, position));
  if (kind[position] !== KIND.allGatherForward && kind[position] !== KIND.allGatherBackward) return;
  changeMemory(engine, stream, MEMORY_CLASS.baseWeights, engine.costs.gatheredBytes[stage[position]!]!);
};

const bufferBytes = ({ costs, plan }: Engine, device: number, position: number): number => {
  const { kind, stage, operand } = plan.programs[device]!;
  return costs.collectiveBufferBytes[collectiveRow(costs, kind[position]!, stage[position]!, operand[position]!)]!;
};

/** Ends a device's ring flow; the last one of a collective ends it, a latency later. `event`: the code handled. */
export const finishRingFlow = (engine: Engine, slot: number, event: number): void => {
  const { network, queue, collectives } = engine;
  if (network.endEvent[slot] !== event) return;
  endFlow(network, slot);
  const device = slot - network.deviceCount;
  const communicator = communicatorAt(engine, device, engine.position[streamId(device, STREAM.collective)]!);
  collectives.flowsLeft[communicator]! -= 1;
  if (collectives.flowsLeft[communicator]! > 0) return;
  pushEvent(queue, queue.nowNs + Math.round(collectives.latencyNs[communicator]!), EVENT.collectiveEnd, device);
};

/** Ends a collective on all devices of its communicator; `device` is one of them. */
export const finishCollective = (engine: Engine, device: number): void => {
  const position = engine.position[streamId(device, STREAM.collective)]!;
  const members = engine.collectives.communicators.members[communicatorAt(engine, device, position)]!;
  for (const member of members) {
    const id = streamId(member, STREAM.collective);
    changeMemory(engine, id, MEMORY_CLASS.communication, -bufferBytes(engine, member, engine.position[id]!));
    closeSpan(engine, member, STREAM.collective, engine.queue.nowNs);
    engine.busy[id] = 0;
    seekStream(engine, member, STREAM.collective, engine.position[id]! + 1);
    markPending(engine, member, STREAM.collective);
    markPending(engine, member, STREAM.compute);
    markPending(engine, member, STREAM.send);
  }
};
