/**
 * Traces as Chrome-trace JSON, which Perfetto and chrome://tracing open: a process per device, a thread per stream,
 * complete events for spans, flow events from sends to receives, counters for memory. Times are microseconds there.
 * The plan's tables travel in `otherData`, so that our own files read back without loss (read-chrome-trace.ts).
 */
import { MEMORY_CLASSES } from '../cost-model.ts';
import { KIND, kindName, STREAMS } from '../plan/op.ts';
import { opAt, partsOf } from '../plan/plan.ts';
import { planToJson } from '../plan/json.ts';
import { formatOp } from '../plan/text.ts';
import { NS_PER_US } from '../units.ts';
import type { SpanTable, Trace } from './trace.ts';

export const FORMAT = 'mlora trace';
export const FORMAT_VERSION = 2;

/** Whether a text looks like a trace rather than like another of our files; reading it says whether it is a good one. */
export const isTraceText = (text: string): boolean => text.includes('"traceEvents"');

/** Viewers treat process and thread 0 as the idle task, so both count from 1; thread numbers are unique in the file. */
export const processOf = (device: number): number => device + 1;
export const threadOf = (device: number, stream: number): number => device * STREAMS.length + stream + 1;

/** Device of a process number, and stream of a thread number on it; NaN where there is none. */
export const deviceOf = (pid: unknown): number => (isIndex(pid) ? pid - 1 : NaN);
export const streamOf = (device: number, tid: unknown): number =>
  isIndex(tid) && tid >= threadOf(device, 0) ? tid - threadOf(device, 0) : NaN;

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

/** The text of a trace file in pieces, for traces longer than the longest string. */
export function* chromeTraceChunks(trace: Trace): Generator<string> {
  yield `{"displayTimeUnit":"ns","otherData":${JSON.stringify(headerOf(trace))},"traceEvents":[\n`;
  yield nameEvents(trace).map(toLine).join(',\n');
  for (let row = 0; row < trace.spans.length; row++) {
    yield `,\n${toLine(spanEvent(trace, row))}`;
    const flow = flowEvent(trace, row);
    if (flow !== null) yield `,\n${toLine(flow)}`;
  }
  for (let row = 0; row < trace.memory.length; row++) yield `,\n${toLine(memoryEvent(trace, row))}`;
  yield '\n]}\n';
}

/** The whole text of a trace file. */
export const formatChromeTrace = (trace: Trace): string => [...chromeTraceChunks(trace)].join('');

const toLine = (event: object): string => JSON.stringify(event);

/** Everything of a trace that its events do not say. JSON knows no infinity: a device without limit has null bytes. */
const headerOf = ({ plan, source, devices, outOfMemory }: Trace): object => {
  const { programs: _, ...tables } = planToJson({ ...plan, programs: [] });
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    source,
    devices: devices.map(({ name, capacityBytes, hardware }) => ({
      name,
      capacityBytes: Number.isFinite(capacityBytes) ? capacityBytes : null,
      ...(hardware === undefined ? {} : { hardware }),
    })),
    outOfMemory,
    plan: tables,
  };
};

const nameEvents = ({ devices }: Trace): object[] =>
  devices.flatMap(({ name }, device) => [
    { ph: 'M', name: 'process_name', pid: processOf(device), args: { name } },
    { ph: 'M', name: 'process_sort_index', pid: processOf(device), args: { sort_index: device } },
    ...STREAMS.map((stream, code) => ({
      ph: 'M',
      name: 'thread_name',
      pid: processOf(device),
      tid: threadOf(device, code),
      args: { name: stream },
    })),
  ]);

const spanEvent = (trace: Trace, row: number): object => {
  const { spans } = trace;
  const op = formatOp(opAt(spans, row));
  return {
    ph: 'X',
    name: op,
    cat: kindName(spans.kind[row]!),
    ...placeOf(spans, row),
    dur: (spans.endNs[row]! - spans.startNs[row]!) / NS_PER_US,
    args: { op, stage: spans.stage[row], ...detailsOf(trace, row) },
  };
};

const placeOf = (spans: SpanTable, row: number) => ({
  pid: processOf(spans.device[row]!),
  tid: threadOf(spans.device[row]!, spans.stream[row]!),
  ts: spans.startNs[row]! / NS_PER_US,
});

/** What a reader wants to know of an op: its adapters by name, and their iterations. */
const detailsOf = ({ plan, spans }: Trace, row: number): object => {
  const op = opAt(spans, row);
  if ('iteration' in op) return { adapters: [plan.adapters[op.adapter]], iterations: [op.iteration] };
  if (!('microbatch' in op)) return { adapters: [plan.adapters[op.adapter]] };
  const parts = partsOf(plan.microbatches, op.microbatch);
  return {
    microbatch: op.microbatch,
    adapters: parts.map(({ adapter }) => plan.adapters[adapter]),
    iterations: parts.map(({ iteration }) => iteration),
  };
};

/** An arrow from a send to its receive; both carry the number of the transfer. */
const flowEvent = ({ spans, plan }: Trace, row: number): object | null => {
  const kind = spans.kind[row]!;
  const isSend = kind === KIND.sendForward || kind === KIND.sendBackward;
  const isReceive = kind === KIND.receiveForward || kind === KIND.receiveBackward;
  if (!isSend && !isReceive) return null;
  const isForward = kind === KIND.sendForward || kind === KIND.receiveForward;
  const receivingStage = spans.stage[row]! + (isReceive ? 0 : isForward ? 1 : -1);
  const transfer = 2 * (spans.operand[row]! * plan.stages.length + receivingStage) + (isForward ? 0 : 1);
  const common = { name: 'transfer', cat: 'transfer', id: transfer, ...placeOf(spans, row) };
  return isSend ? { ph: 's', ...common } : { ph: 'f', bp: 'e', ...common };
};

const memoryEvent = ({ memory }: Trace, row: number): object => ({
  ph: 'C',
  name: 'memory',
  pid: processOf(memory.device[row]!),
  ts: memory.timeNs[row]! / NS_PER_US,
  args: { [MEMORY_CLASSES[memory.memoryClass[row]!]!]: memory.bytes[row] },
});
