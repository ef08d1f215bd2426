import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../core/cluster/cluster.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { STREAM } from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { finishMemory } from '../../core/trace/memory-builder.ts';
import { finishSpans } from '../../core/trace/span-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { advanceCompute, finishCompute, launch, prepareLaunch, tryCompute } from './compute.ts';
import { findStuckStreams, type Deadlock } from './deadlock.ts';
import { finishCollective, finishRingFlow, tryCollective } from './collective.ts';
import { createEngine, markPending, seekStream, STREAM_COUNT, type Engine } from './engine.ts';
import { deviceOf, EVENT, eventOf, nextInstant } from './event-queue.ts';
import { holdResident } from './memory.ts';
import { finishFlow, finishTransfer, tryReceive, trySend } from './transfer.ts';

/**
 * Runs a plan in virtual time: device i of the plan is device i of the cluster. Every stream of a device runs its ops
 * in program order and streams are independent of each other, as CUDA streams are. The same arguments give the same
 * trace, byte for byte. Memory beyond a device's capacity is reported and does not stop the run. Ops must refer to
 * stages, microbatches and adapters that the plan has (`validate`); throws where the cluster has too few devices.
 */
export const simulate = (plan: Plan, cost: CostModel, cluster: Cluster): E.Either<Deadlock, Trace> => {
  if (plan.devices.length > cluster.devices.length) {
    throw new RangeError(`plan for ${plan.devices.length} devices on a cluster of ${cluster.devices.length}`);
  }
  const engine = createEngine(plan, cost, cluster);
  holdResident(engine, cost);
  run(engine);
  const stuck = findStuckStreams(engine);
  return stuck.length > 0
    ? E.left({ kind: 'deadlock', timeNs: engine.queue.nowNs, stuck })
    : E.right(traceOf(engine, cluster));
};

const run = (engine: Engine): void => {
  for (const device of engine.plan.devices.keys()) startDevice(engine, device);
  startPending(engine);
  const { queue } = engine;
  while (nextInstant(queue)) {
    for (let at = 0; at < queue.instantLength; at++) handleEvent(engine, queue.instant[at]!);
    startPending(engine);
  }
};

const startDevice = (engine: Engine, device: number): void => {
  prepareLaunch(engine, device, 0);
  advanceCompute(engine, device, 0);
  for (const stream of [STREAM.send, STREAM.receive, STREAM.collective]) {
    seekStream(engine, device, stream, 0);
    markPending(engine, device, stream);
  }
};

const handleEvent = (engine: Engine, code: number): void => {
  const device = deviceOf(code);
  switch (eventOf(code)) {
    case EVENT.flowEnd:
      // Slots beyond the devices are those of ring flows.
      return device < engine.network.deviceCount ? finishFlow(engine, device, code) : finishRingFlow(engine, device, code);
    case EVENT.collectiveEnd:
      return finishCollective(engine, device);
    case EVENT.arrival:
      return finishTransfer(engine, device);
    case EVENT.computeEnd:
      return finishCompute(engine, device);
    case EVENT.hostStart:
      return launch(engine, device);
    case EVENT.wake:
      return markPending(engine, device, STREAM.compute);
  }
};

/** Lets every pending stream start its next op; all ends of the instant are handled by then. */
const startPending = (engine: Engine): void => {
  const { pending, isPending } = engine;
  for (let at = 0; at < engine.pendingLength; at++) {
    const id = pending[at]!;
    isPending[id] = 0;
    const device = Math.floor(id / STREAM_COUNT);
    switch (id % STREAM_COUNT) {
      case STREAM.compute:
        tryCompute(engine, device);
        break;
      case STREAM.send:
        trySend(engine, device);
        break;
      case STREAM.receive:
        tryReceive(engine, device);
        break;
      case STREAM.collective:
        tryCollective(engine, device);
        break;
    }
  }
  engine.pendingLength = 0;
};

const traceOf = (engine: Engine, cluster: Cluster): Trace => {
  const { programs: _, ...tables } = engine.plan;
  return {
    source: 'simulated',
    plan: tables,
    devices: engine.plan.devices.map((name, device) => ({
      name,
      capacityBytes: cluster.devices[device]!.gpu.memoryBytes,
    })),
    spans: finishSpans(engine.spans),
    memory: finishMemory(engine.ledger.changes),
    outOfMemory: engine.outOfMemory,
  };
};
