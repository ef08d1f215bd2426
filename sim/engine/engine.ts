import type { Cluster } from '../../core/cluster/cluster.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { findWaits } from '../../core/plan/collectives.ts';
import { STREAM, STREAM_OF_KIND, STREAMS } from '../../core/plan/op.ts';
import { neighboursOf, type Neighbours } from '../../core/plan/pipelines.ts';
import { countOps, type Plan, type Program } from '../../core/plan/plan.ts';
import { createSpanColumns, reserveSpan, type SpanColumns } from '../../core/trace/span-builder.ts';
import type { OutOfMemory } from '../../core/trace/trace.ts';
import { createCollectiveState, type CollectiveState } from './collective-state.ts';
import { costRow, tabulateCosts, type CostTables } from './cost-tables.ts';
import { createEventQueue, type EventQueue } from './event-queue.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createNetwork, type Network } from './network.ts';
import { overlapPrices } from './overlap.ts';

/** Facts about a stage's part of a microbatch, as bits of one byte. `posted`: the stream waits for its peer. */
export const PROGRESS = {
  forwardDone: 1,
  backwardDone: 2,
  inputArrived: 4,
  gradientArrived: 8,
  inputSendPosted: 16,
  inputReceivePosted: 32,
  gradientSendPosted: 64,
  gradientReceivePosted: 128,
} as const;

/** State of a run. A stream is `device · STREAM_COUNT + STREAM`; a cell is `stage · microbatches + microbatch`. */
export interface Engine {
  readonly plan: Plan;
  readonly costs: CostTables;
  readonly queue: EventQueue;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly spans: SpanColumns;
  /** By stage. */
  readonly deviceOfStage: Uint16Array;
  /** By stage. */
  readonly neighbours: Neighbours;
  /** By device and position: the collective that an op waits for (`findWaits`); empty where there are none. */
  readonly waits: readonly Int32Array[];
  readonly collectives: CollectiveState;
  /** By device and position: what a compute op takes longer for what moves beside it; empty where nothing does. */
  readonly overlapNs: readonly Float64Array[];
  /** By cell: PROGRESS bits. */
  readonly progress: Uint8Array;
  /** By stream: position in the device's program of the op that runs or comes next; the program's length at the end. */
  readonly position: Uint32Array;
  /** By stream: an op is running. */
  readonly busy: Uint8Array;
  /** By stream: span of the running op. */
  readonly spanRow: Uint32Array;
  /** Streams to look at once all events of the instant are handled; entries from `pendingLength` on are left-overs. */
  readonly pending: number[];
  pendingLength: number;
  readonly isPending: Uint8Array;
  /** By device: when the host has launched all kernels of the latest op. */
  readonly hostFreeNs: Float64Array;
  /** By device: when the first kernel of the compute stream's next op can start; infinite while it waits for the host. */
  readonly launchedNs: Float64Array;
  /** By sending device: the stage that takes in what it sends. */
  readonly receivingStage: Uint16Array;
  outOfMemory: OutOfMemory | null;
}

export const STREAM_COUNT = STREAMS.length;

/** Changes of memory per op that rows are reserved for; more rows grow the table. */
const CHANGES_PER_OP = 2;

export const createEngine = (plan: Plan, cost: CostModel, cluster: Cluster): Engine => {
  const queue = createEventQueue();
  const devices = plan.devices.length;
  const streams = devices * STREAM_COUNT;
  const capacities = cluster.devices.slice(0, devices).map(({ gpu }) => gpu.memoryBytes);
  const costs = tabulateCosts(plan, cost);
  const neighbours = neighboursOf(plan.stages);
  const waits = findWaits(plan);
  const collectives = createCollectiveState(plan.stages, cluster, devices);
  return {
    plan,
    costs,
    queue,
    network: createNetwork(cluster, queue),
    ledger: createLedger(queue, capacities, CHANGES_PER_OP * countOps(plan)),
    spans: createSpanColumns(countSpans(plan, costs)),
    deviceOfStage: Uint16Array.from(plan.stages, ({ device }) => device),
    neighbours,
    waits,
    collectives,
    overlapNs: overlapPrices({ plan, costs, cluster, neighbours, waits, collectives }),
    progress: new Uint8Array(plan.stages.length * plan.microbatches.length),
    position: new Uint32Array(streams),
    busy: new Uint8Array(streams),
    spanRow: new Uint32Array(streams),
    pending: [],
    pendingLength: 0,
    isPending: new Uint8Array(streams),
    hostFreeNs: new Float64Array(devices),
    launchedNs: new Float64Array(devices),
    receivingStage: new Uint16Array(devices),
    outOfMemory: null,
  };
};

/** Every op has a span, and one more on the host where it is launched. */
const countSpans = ({ programs }: Plan, costs: CostTables): number => {
  let count = 0;
  for (const { length, kind, stage, operand } of programs) {
    for (let at = 0; at < length; at++) {
      const isLaunched = costs.launchNs[costRow(costs, kind[at]!, stage[at]!, operand[at]!)]! > 0;
      count += isLaunched ? 2 : 1;
    }
  }
  return count;
};

export const streamId = (device: number, stream: number): number => device * STREAM_COUNT + stream;

export const programOf = (engine: Engine, device: number): Program => engine.plan.programs[device]!;

/** Cell of a stage's part of a microbatch. */
export const cellOf = (engine: Engine, stage: number, microbatch: number): number =>
  stage * engine.plan.microbatches.length + microbatch;

/** Moves a stream to its first op at `from` or later; the host stream follows the compute ops. */
export const seekStream = (engine: Engine, device: number, stream: number, from: number): void => {
  const { kind, length } = programOf(engine, device);
  const wanted = stream === STREAM.host ? STREAM.compute : stream;
  let position = from;
  while (position < length && STREAM_OF_KIND[kind[position]!] !== wanted) position++;
  engine.position[streamId(device, stream)] = position;
};

/** Has a stream looked at when the events of the instant are handled. */
export const markPending = (engine: Engine, device: number, stream: number): void => {
  const id = streamId(device, stream);
  if (engine.isPending[id] === 1) return;
  engine.isPending[id] = 1;
  engine.pending[engine.pendingLength++] = id;
};

/** Whether the collectives that the op at a position waits for have ended. */
export const isPastWait = (engine: Engine, device: number, position: number): boolean => {
  const waits = engine.waits[device];
  return waits === undefined || engine.position[streamId(device, STREAM.collective)]! > waits[position]!;
};

/** Records the start of a stream's op at its position. */
export const openSpan = (engine: Engine, device: number, stream: number): void => {
  const id = streamId(device, stream);
  const position = engine.position[id]!;
  const program = programOf(engine, device);
  const { spans } = engine;
  const row = reserveSpan(spans);
  spans.device[row] = device;
  spans.stream[row] = stream;
  spans.kind[row] = program.kind[position]!;
  spans.stage[row] = program.stage[position]!;
  spans.operand[row] = program.operand[position]!;
  spans.iteration[row] = program.iteration[position]!;
  spans.startNs[row] = engine.queue.nowNs;
  engine.spanRow[id] = row;
};

/** Records the end of a stream's running op, now or at a known later time. */
export const closeSpan = (engine: Engine, device: number, stream: number, endNs: number): void => {
  engine.spans.endNs[engine.spanRow[streamId(device, stream)]!] = endNs;
};
