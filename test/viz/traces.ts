import { MEMORY_CLASS } from '../../core/cost-model.ts';
import { createMicrobatchBuilder } from '../../core/plan/builders.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import type { PlanTables } from '../../core/plan/plan.ts';
import {
  appendMemoryChange,
  createMemoryColumns,
  finishMemory,
  type MemoryColumns,
} from '../../core/trace/memory-builder.ts';
import {
  appendSpan,
  createSpanColumns,
  finishSpans,
  type Span,
  type SpanColumns,
} from '../../core/trace/span-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { GIBI } from '../../core/units.ts';

/** What a fixture pipeline looks like; times are nanoseconds. */
export interface PipelineOptions {
  readonly devices: number;
  readonly adapters: readonly string[];
  /** Pieces of a mini-batch. */
  readonly microbatches: number;
  readonly iterations: number;
  /** All adapters travel together as one BatchLoRA group. */
  readonly grouped: boolean;
  /** Waits for every iteration to drain before the next one, as 1F1B without LoRAPP does. */
  readonly barrier: boolean;
  readonly forwardNs: number;
  readonly backwardNs: number;
  /** 0: no transfers. */
  readonly transferNs: number;
  readonly memory: boolean;
  readonly capacityBytes: number;
  readonly deviceName: (device: number) => string;
}

const DEFAULTS: PipelineOptions = {
  devices: 3,
  adapters: ['alpha'],
  microbatches: 4,
  iterations: 1,
  grouped: false,
  barrier: false,
  forwardNs: 2e6,
  backwardNs: 3e6,
  transferNs: 0,
  memory: true,
  capacityBytes: 24 * GIBI,
  deviceName: (device) => `gpu${device}`,
};

interface Piece {
  readonly adapters: readonly number[];
  readonly iteration: number;
  readonly index: number;
}

const pieces = (adapters: number, microbatches: number, iterations: number, grouped: boolean): readonly Piece[] => {
  const groups = grouped
    ? [Array.from({ length: adapters }, (_, a) => a)]
    : Array.from({ length: adapters }, (_, a) => [a]);
  return Array.from({ length: iterations }, (_, iteration) =>
    groups.flatMap((members) =>
      Array.from({ length: microbatches }, (_, index) => ({ adapters: members, iteration, index })),
    ),
  ).flat();
};

const tables = (work: readonly Piece[], adapters: readonly string[], deviceNames: readonly string[]): PlanTables => {
  const builder = createMicrobatchBuilder();
  for (const { adapters: members, iteration, index } of work) {
    builder.push(
      members[0]!,
      members.map((adapter) => ({ adapter, iteration, index, rows: 2, tokens: 64, squaredTokens: 2048 })),
    );
  }
  return {
    schedule: 'lorapp',
    devices: deviceNames,
    adapters,
    arrivalsNs: adapters.map(() => 0),
    stages: deviceNames.map((_, d) => ({ device: d, firstLayer: 4 * d, endLayer: 4 * d + 4 })),
    shapes: builder.shapes(),
    microbatches: builder.build(),
  };
};

/** Ops of a stage in 1F1B order; positive m + 1 is the forward of m, negative its backward. */
const orderOf = (stage: number, stages: number, count: number): readonly number[] => {
  const warmup = Math.min(stages - stage, count);
  const order: number[] = [];
  for (let m = 0; m < warmup; m++) order.push(m + 1);
  for (let m = 0; m < count; m++) {
    order.push(-(m + 1));
    if (m + warmup < count) order.push(m + warmup + 1);
  }
  return order;
};

const STATE_BYTES = { baseWeights: 6 * GIBI, adapters: 0.2 * GIBI, gradients: 0.2 * GIBI, optimizer: 0.5 * GIBI };
const ACTIVATION_BYTES = 1.5 * GIBI;

const holdState = (memory: MemoryColumns, device: number): void => {
  for (const [name, bytes] of Object.entries(STATE_BYTES)) {
    appendMemoryChange(memory, {
      device,
      memoryClass: MEMORY_CLASS[name as keyof typeof STATE_BYTES],
      timeNs: 0,
      bytes,
    });
  }
};

/** A hand-made 1F1B pipeline, one stage per device, timed op by op: not a planner, only something to look at. */
export const pipelineTrace = (options: Partial<PipelineOptions> = {}): Trace => {
  const settings = { ...DEFAULTS, ...options };
  const { devices, adapters, microbatches, iterations, grouped, barrier, memory, capacityBytes, deviceName } = settings;
  const names = Array.from({ length: devices }, (_, d) => deviceName(d));
  const work = pieces(adapters.length, microbatches, iterations, grouped);
  const columns = { spans: createSpanColumns(), memory: createMemoryColumns() };
  for (let d = 0; d < devices; d++) holdState(columns.memory, d);
  const count = barrier ? microbatches : work.length;
  let clock = 0;
  for (let first = 0; first < work.length; first += count) {
    clock = createRound(settings, columns, work.slice(first, first + count), first, clock).run();
  }
  return {
    source: 'simulated',
    plan: tables(work, adapters, names),
    devices: names.map((name) => ({ name, capacityBytes })),
    spans: finishSpans(columns.spans),
    memory: finishMemory(memory ? columns.memory : createMemoryColumns(0)),
    outOfMemory: null,
  };
};

interface Columns {
  readonly spans: SpanColumns;
  readonly memory: MemoryColumns;
}

/** Places the ops of some microbatches, numbered from `first`, none before `clock`; `run` returns when all are done. */
const createRound = (
  settings: PipelineOptions,
  columns: Columns,
  work: readonly Piece[],
  first: number,
  clock: number,
): { run: () => number } => {
  const { devices, forwardNs, backwardNs, transferNs } = settings;
  const arrivals = new Map<string, number>();
  const free = new Float64Array(devices).fill(clock);
  const inFlight = new Uint32Array(devices);
  const next = new Uint32Array(devices);
  const orders = Array.from({ length: devices }, (_, d) => orderOf(d, devices, work.length));

  const add = (span: Omit<Span, 'stage' | 'iteration'>, iteration = 0): void =>
    appendSpan(columns.spans, { ...span, iteration, stage: span.device });
  const hold = (device: number, timeNs: number): void =>
    appendMemoryChange(columns.memory, {
      device,
      memoryClass: MEMORY_CLASS.activations,
      timeNs,
      bytes: inFlight[device]! * ACTIVATION_BYTES,
    });

  const transfer = (from: number, to: number, operand: number, startNs: number): number => {
    const endNs = startNs + transferNs;
    const [send, receive] =
      to > from ? [KIND.sendForward, KIND.receiveForward] : [KIND.sendBackward, KIND.receiveBackward];
    if (transferNs === 0) return endNs;
    add({ device: from, stream: STREAM.send, kind: send, operand, startNs, endNs });
    add({ device: to, stream: STREAM.receive, kind: receive, operand, startNs, endNs });
    return endNs;
  };

  const step = (device: number, m: number): void => {
    const { adapters, iteration } = work[m]!;
    const following = work[m + 1];
    if (following?.iteration === iteration && following.adapters[0] === adapters[0]) return;
    for (const operand of adapters) {
      const startNs = free[device]!;
      const endNs = startNs + forwardNs / 8;
      add({ device, stream: STREAM.compute, kind: KIND.step, operand, startNs, endNs }, iteration);
      free[device] = endNs;
    }
  };

  /** Appends the device's next op, if what it waits for is there. */
  const place = (device: number): boolean => {
    const op = orders[device]![next[device]!];
    if (op === undefined) return false;
    const forward = op > 0;
    const m = Math.abs(op) - 1;
    const target = device + (forward ? 1 : -1);
    const isFirst = forward ? device === 0 : device === devices - 1;
    const arrival = isFirst ? clock : arrivals.get(`${op}@${device}`);
    if (arrival === undefined) return false;
    const startNs = Math.max(free[device]!, arrival);
    const endNs = startNs + (forward ? forwardNs : backwardNs);
    add({
      device,
      stream: STREAM.compute,
      kind: forward ? KIND.forward : KIND.backward,
      operand: first + m,
      startNs,
      endNs,
    });
    inFlight[device]! += forward ? 1 : -1;
    hold(device, forward ? startNs : endNs);
    free[device] = endNs;
    if (target >= 0 && target < devices) arrivals.set(`${op}@${target}`, transfer(device, target, first + m, endNs));
    if (!forward) step(device, m);
    next[device]!++;
    return true;
  };

  const run = (): number => {
    for (let moved = true; moved;) {
      moved = false;
      for (let d = 0; d < devices; d++) while (place(d)) moved = true;
    }
    return Math.max(...free);
  };
  return { run };
};

/** A trace of hand-placed compute spans on one device, given as [kind, operand, startNs, endNs]. */
export const spansTrace = (
  rows: readonly (readonly [kind: number, operand: number, startNs: number, endNs: number])[],
): Trace => {
  const columns = createSpanColumns();
  for (const [kind, operand, startNs, endNs] of rows) {
    appendSpan(columns, { device: 0, stream: STREAM.compute, kind, stage: 0, operand, iteration: 0, startNs, endNs });
  }
  return { ...pipelineTrace({ devices: 1, memory: false }), spans: finishSpans(columns) };
};

/** The tables of a plan without any span or memory. */
export const emptyTrace = (): Trace => spansTrace([]);
