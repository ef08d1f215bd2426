import { createMicrobatchBuilder } from '../../core/plan/builders.ts';
import { kindName, subjectOf } from '../../core/plan/op.ts';
import type { PlanTables, StagePlacement } from '../../core/plan/plan.ts';
import type { PieceMicrobatch } from '../../core/planners/plan-pieces.ts';
import { appendMemoryChange, createMemoryColumns, finishMemory, memoryChangeAt, type MemoryChange } from '../../core/trace/memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans, spanAt, type Span } from '../../core/trace/span-builder.ts';
import type { MemoryTable, SpanTable, Trace } from '../../core/trace/trace.ts';

/** What ranks did lately. Stays of one job are one adapter, so that it keeps its colour through preemptions. */
export interface LiveTrace {
  readonly noteStay: (stay: number, job: string) => void;
  readonly noteMicrobatches: (microbatches: readonly PieceMicrobatch[]) => void;
  readonly record: (spans: SpanTable, memory: MemoryTable) => void;
  readonly trace: () => Trace;
}

export interface LiveTraceOptions {
  readonly devices: readonly string[];
  readonly capacityBytes: readonly number[];
  readonly stages: readonly StagePlacement[];
  /** Spans that are kept; changes of memory as many. */
  readonly mostOps: number;
}

/** The latest of a growing list; up to twice as many are held, so that dropping costs little. */
interface Latest<T> {
  readonly push: (value: T) => boolean;
  readonly values: () => readonly T[];
}

const createLatest = <T>(most: number): Latest<T> => {
  let held: T[] = [];
  return {
    push: (value) => {
      held.push(value);
      if (held.length < 2 * most) return false;
      held = held.slice(-most);
      return true;
    },
    values: () => held.slice(-most),
  };
};

const isOfMicrobatch = ({ kind }: Span): boolean => subjectOf(kindName(kind)) === 'microbatch';

export const createLiveTrace = (options: LiveTraceOptions): LiveTrace => {
  const spans = createLatest<Span>(options.mostOps);
  const memory = createLatest<MemoryChange>(options.mostOps);
  const jobs = new Map<number, string>();
  const microbatches = new Map<number, PieceMicrobatch>();

  /** Forgets what only dropped spans were about. */
  const forget = (): void => {
    const kept = spans.values();
    const oldest = kept.reduce((least, span) => (isOfMicrobatch(span) ? Math.min(least, span.operand) : least), Infinity);
    const named = new Set<number>();
    for (const number of microbatches.keys()) if (number < oldest) microbatches.delete(number);
    for (const { parts } of microbatches.values()) for (const { adapter } of parts) named.add(adapter);
    for (const span of kept) if (!isOfMicrobatch(span)) named.add(span.operand);
    const latest = Math.max(...jobs.keys());
    for (const stay of jobs.keys()) if (!named.has(stay) && stay < latest) jobs.delete(stay);
  };
  return {
    noteStay: (stay, job) => void jobs.set(stay, job),
    noteMicrobatches: (numbered) => numbered.forEach((each) => microbatches.set(each.number, each)),
    record: (table, changes) => {
      let dropped = false;
      for (let row = 0; row < table.length; row++) dropped = spans.push(spanAt(table, row)) || dropped;
      for (let row = 0; row < changes.length; row++) memory.push(memoryChangeAt(changes, row));
      if (dropped) forget();
    },
    trace: () => buildTrace(options, { spans: spans.values(), memory: memory.values(), jobs, microbatches }),
  };
};

interface Recorded {
  readonly spans: readonly Span[];
  readonly memory: readonly MemoryChange[];
  readonly jobs: ReadonlyMap<number, string>;
  readonly microbatches: ReadonlyMap<number, PieceMicrobatch>;
}

const buildTrace = ({ devices, capacityBytes, stages }: LiveTraceOptions, { spans, memory, jobs, microbatches }: Recorded): Trace => {
  const names = [...new Set(jobs.values())];
  const adapterOf = (stay: number): number => names.indexOf(jobs.get(stay)!);
  const builder = createMicrobatchBuilder();
  const numbers = new Map<number, number>();
  for (const { number, group, parts, forwardOnly } of microbatches.values()) {
    numbers.set(number, builder.push(group, parts.map((part) => ({ ...part, adapter: adapterOf(part.adapter) })), { forwardOnly }));
  }
  const columns = createSpanColumns(spans.length);
  for (const span of spans) appendSpan(columns, { ...span, operand: isOfMicrobatch(span) ? numbers.get(span.operand)! : adapterOf(span.operand) });
  const changes = createMemoryColumns(memory.length);
  for (const change of memory) appendMemoryChange(changes, change);
  const plan: PlanTables = {
    schedule: 'lorapp', devices, adapters: names, arrivalsNs: names.map(() => 0), stages, shapes: builder.shapes(), microbatches: builder.build(),
  };
  return {
    source: 'measured',
    plan,
    devices: devices.map((name, device) => ({ name, capacityBytes: capacityBytes[device] ?? Infinity })),
    spans: finishSpans(columns),
    memory: finishMemory(changes),
    outOfMemory: null,
  };
};
