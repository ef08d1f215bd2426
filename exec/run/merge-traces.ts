import type { Plan } from '../../core/plan/plan.ts';
import { appendMemoryChange, createMemoryColumns, finishMemory, memoryChangeAt } from '../../core/trace/memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans, spanAt } from '../../core/trace/span-builder.ts';
import type { MemoryTable, SpanTable, Trace, TraceDevice } from '../../core/trace/trace.ts';

/** What one rank recorded while it ran its program. */
export interface Recording {
  readonly spans: SpanTable;
  readonly memory: MemoryTable;
}

/** One measured trace from the recordings of all ranks, whose times count from the same zero already. */
export const mergeTraces = (plan: Plan, recordings: readonly Recording[], devices: readonly Omit<TraceDevice, 'name'>[]): Trace => {
  const spans = createSpanColumns(recordings.reduce((sum, recording) => sum + recording.spans.length, 0));
  const memory = createMemoryColumns(recordings.reduce((sum, recording) => sum + recording.memory.length, 0));
  for (const recording of recordings) {
    for (let row = 0; row < recording.spans.length; row++) appendSpan(spans, spanAt(recording.spans, row));
    for (let row = 0; row < recording.memory.length; row++) appendMemoryChange(memory, memoryChangeAt(recording.memory, row));
  }
  const { programs: _, ...tables } = plan;
  return {
    source: 'measured',
    plan: tables,
    devices: plan.devices.map((name, device) => ({ name, ...(devices[device] ?? { capacityBytes: Infinity }) })),
    spans: finishSpans(spans),
    memory: finishMemory(memory),
    outOfMemory: null,
  };
};
