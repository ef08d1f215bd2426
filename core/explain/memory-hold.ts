import { MEMORY_CLASS, type MemoryClass } from '../cost-model.ts';
import { KIND } from '../plan/op.ts';
import { neighboursOf } from '../plan/pipelines.ts';
import type { Trace } from '../trace/trace.ts';
import type { Chains } from './chain.ts';
import { carriesMicrobatch, lastBefore, tokensOf } from './span-index.ts';

/** Whether a microbatch that could have been computed was held back because memory was full. */
export interface MemoryHold {
  /** On the device or one whose stages come before its own, at the time at which the device begins to wait. */
  readonly holds: (device: number, timeNs: number) => boolean;
}

/** Schedules whose order depends on memory; the closed forms would run in the same order with any amount of it. */
const MEMORY_AWARE: ReadonlySet<string> = new Set(['lorapp']);

export const findMemoryHolds = (trace: Trace, chains: Chains): MemoryHold => {
  if (!MEMORY_AWARE.has(trace.plan.schedule)) return { holds: () => false };
  const { plan } = trace;
  const books = trace.devices.map((_, device) => bookOf(trace, chains, device));
  const upstream = trace.devices.map((_, device) => {
    const last = plan.stages.findLastIndex((stage) => stage.device === device);
    return [...new Set(plan.stages.slice(0, last + 1).map((stage) => stage.device))];
  });
  return { holds: (device, timeNs) => upstream[device]!.some((each) => holdsBack(trace, chains, books[each]!, timeNs)) };
};

/** A value that changes at certain times, in order of time. */
interface Course {
  readonly timesNs: readonly number[];
  readonly values: readonly number[];
}

/** The value after all changes up to and at a time; 0 before the first. */
const valueAt = ({ timesNs, values }: Course, timeNs: number): number => {
  let low = 0;
  let high = timesNs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timesNs[middle]! <= timeNs) low = middle + 1;
    else high = middle;
  }
  return values[low - 1] ?? 0;
};

/** What a device holds over time, as planners count it. */
interface Book {
  readonly forwards: readonly number[];
  /** Bytes that stay while nothing is in flight. */
  readonly residentBytes: Course;
  readonly activationBytes: Course;
  /** Tokens whose activations are held. */
  readonly tokens: Course;
  /** Of all adapters together, when most of them were there: planners keep that much free. */
  readonly adapterBytes: number;
  readonly transientBytes: number;
  readonly capacityBytes: number;
}

const codesOf = (names: readonly MemoryClass[]): readonly number[] => names.map((name) => MEMORY_CLASS[name]);
const ADAPTER_STATE = codesOf(['adapters', 'gradients', 'optimizer']);
const RESIDENT = codesOf(['baseWeights', 'context', 'quantization', 'allocator']);

const bookOf = (trace: Trace, { index }: Chains, device: number): Book => {
  const { memory, spans } = trace;
  const held = new Float64Array(Object.keys(MEMORY_CLASS).length);
  const sum = (classes: readonly number[]): number => classes.reduce((total, each) => total + held[each]!, 0);
  const timesNs: number[] = [];
  const resident: number[] = [];
  const activations: number[] = [];
  let [adapterBytes, transientBytes] = [0, 0];
  for (let row = 0; row < memory.length; row++) {
    if (memory.device[row] !== device) continue;
    held[memory.memoryClass[row]!] = memory.bytes[row]!;
    timesNs.push(memory.timeNs[row]!);
    resident.push(sum(RESIDENT));
    activations.push(held[MEMORY_CLASS.activations]!);
    adapterBytes = Math.max(adapterBytes, sum(ADAPTER_STATE));
    transientBytes = Math.max(transientBytes, held[MEMORY_CLASS.transient]!);
  }
  return {
    forwards: index.computeRows[device]!.filter((row) => spans.kind[row] === KIND.forward),
    residentBytes: { timesNs, values: resident },
    activationBytes: { timesNs, values: activations },
    tokens: tokensInFlight(trace, index.computeRows[device]!),
    adapterBytes,
    transientBytes,
    capacityBytes: trace.devices[device]!.capacityBytes,
  };
};

/** From the start of a microbatch's first op on a stage to the end of its last one there. */
const tokensInFlight = (trace: Trace, computeRows: readonly number[]): Course => {
  const { spans, plan } = trace;
  const rows = computeRows.filter((row) => carriesMicrobatch(spans.kind[row]!));
  const cellOf = (row: number): number => spans.stage[row]! * plan.microbatches.length + spans.operand[row]!;
  const firsts = new Map(rows.toReversed().map((row) => [cellOf(row), row]));
  const lasts = new Map(rows.map((row) => [cellOf(row), row]));
  const changes = [
    ...[...firsts.values()].map((row) => ({ timeNs: spans.startNs[row]!, tokens: tokensOf(trace, row) })),
    ...[...lasts.values()].map((row) => ({ timeNs: spans.endNs[row]!, tokens: -tokensOf(trace, row) })),
  ].sort((a, b) => a.timeNs - b.timeNs);
  let tokens = 0;
  return { timesNs: changes.map(({ timeNs }) => timeNs), values: changes.map((change) => (tokens += change.tokens)) };
};

/** Whether the next forward has what it needs except for memory; its activations are as large per token as those held. */
const holdsBack = (trace: Trace, chains: Chains, book: Book, timeNs: number): boolean => {
  const next = book.forwards[lastBefore(book.forwards, trace.spans.startNs, timeNs + 1) + 1];
  const tokens = valueAt(book.tokens, timeNs);
  if (next === undefined || tokens <= 0 || !isReady(trace, chains, next, timeNs)) return false;
  const activationBytes = valueAt(book.activationBytes, timeNs);
  const neededBytes = activationBytes + (activationBytes / tokens) * tokensOf(trace, next);
  return neededBytes + valueAt(book.residentBytes, timeNs) + book.adapterBytes + book.transientBytes > book.capacityBytes;
};

/** Whether a forward's data is on its device and, where it enters the pipeline, its adapters have arrived and stepped. */
const isReady = ({ spans, plan }: Trace, { index }: Chains, row: number, timeNs: number): boolean => {
  const [stage, microbatch] = [spans.stage[row]!, spans.operand[row]!];
  if (neighboursOf(plan.stages).previous[stage]! >= 0) {
    const received = index.rowOf(KIND.receiveForward, stage, microbatch);
    const source = received >= 0 ? received : index.rowOf(KIND.forward, stage - 1, microbatch);
    return source >= 0 && spans.endNs[source]! <= timeNs;
  }
  const { partStart, partAdapter } = plan.microbatches;
  const adapters = partAdapter.subarray(partStart[microbatch], partStart[microbatch + 1]);
  if (adapters.some((adapter) => plan.arrivalsNs[adapter]! > timeNs)) return false;
  // A step of one of its adapters between that time and its start is the one it waits for.
  for (let before = index.previous[row]!; before >= 0 && spans.endNs[before]! > timeNs; before = index.previous[before]!) {
    if (spans.kind[before] === KIND.step && adapters.includes(spans.operand[before]!)) return false;
  }
  return true;
};
