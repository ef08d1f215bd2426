import { MEMORY_CLASSES, type MemoryClass } from '../cost-model.ts';
import { iterationOf, KIND, operandOf, STREAMS, type Op } from '../plan/op.ts';
import type { PlanTables } from '../plan/plan.ts';
import { parseOp } from '../plan/text.ts';
import { show } from '../problem.ts';
import { isRecord } from '../structure.ts';
import { NS_PER_US } from '../units.ts';
import { deviceOf, streamOf } from './chrome-trace.ts';
import { appendMemoryChange, type MemoryColumns } from './memory-builder.ts';
import { appendSpan, type SpanColumns } from './span-builder.ts';

/** What the events of a file are read into, and what their numbers refer to. */
export interface EventReader {
  readonly plan: PlanTables;
  readonly spans: SpanColumns;
  readonly memory: MemoryColumns;
}

type Event = Readonly<Record<string, unknown>>;

/** Adds a span or a memory change to its columns and returns null, or returns what is wrong with the event. */
export const readEvent = (reader: EventReader, event: unknown): string | null => {
  if (!isRecord(event)) return `is ${show(event)}; expected an event`;
  switch (event.ph) {
    case 'X':
      return readSpan(reader, event);
    case 'C':
      return readMemoryChange(reader, event);
    case 'M':
    case 's':
    case 'f':
      return null;
    default:
      return `has phase ${show(event.ph)}; expected X, C, M, s or f`;
  }
};

const readSpan = ({ plan, spans }: EventReader, event: Event): string | null => {
  const startNs = nanosecondsOf(event.ts);
  const durationNs = nanosecondsOf(event.dur);
  if (startNs === null) return badTime('ts', event.ts);
  if (durationNs === null) return badTime('dur', event.dur);
  const device = deviceOf(event.pid);
  if (!(device < plan.devices.length)) return badProcess(plan, event);
  const stream = streamOf(device, event.tid);
  if (!(stream < STREAMS.length)) return `is on thread ${show(event.tid)}, which process ${show(event.pid)} does not have`;
  const args = event.args;
  const op = isRecord(args) && typeof args.op === 'string' ? parseOp(args.op) : null;
  if (op === null) return `has args ${show(args)}; expected an op such as 2F0`;
  if (!isOfPlan(plan, op)) return `has op ${show(isRecord(args) ? args.op : args)}, which the plan does not have`;
  appendSpan(spans, {
    device,
    stream,
    kind: KIND[op.kind],
    stage: op.stage,
    operand: operandOf(op),
    iteration: iterationOf(op),
    startNs,
    endNs: startNs + durationNs,
  });
  return null;
};

const readMemoryChange = ({ plan, memory }: EventReader, event: Event): string | null => {
  const timeNs = nanosecondsOf(event.ts);
  if (timeNs === null) return badTime('ts', event.ts);
  const device = deviceOf(event.pid);
  if (!(device < plan.devices.length)) return badProcess(plan, event);
  const [entry] = isRecord(event.args) ? Object.entries(event.args) : [];
  const memoryClass = MEMORY_CLASSES.indexOf(entry?.[0] as MemoryClass);
  if (memoryClass < 0 || !isCount(entry?.[1])) {
    return `has args ${show(event.args)}; expected bytes of one of ${MEMORY_CLASSES.join(', ')}`;
  }
  appendMemoryChange(memory, { device, memoryClass, timeNs, bytes: entry[1] });
  return null;
};

const isOfPlan = ({ stages, adapters, microbatches }: PlanTables, op: Op): boolean =>
  op.stage < stages.length && operandOf(op) < ('microbatch' in op ? microbatches.length : adapters.length);

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Microseconds of a file as whole nanoseconds; null for anything but a number from 0 up. */
const nanosecondsOf = (value: unknown): number | null => (isCount(value) ? Math.round(value * NS_PER_US) : null);

const badTime = (field: string, value: unknown): string => `has ${field} ${show(value)}; expected microseconds from 0 up`;

const badProcess = ({ devices }: PlanTables, event: Event): string =>
  `is of process ${show(event.pid)}; expected 1 to ${devices.length}`;
