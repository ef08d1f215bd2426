import { appendMemoryChange, createMemoryColumns, finishMemory, memoryChangeAt, type MemoryChange } from './memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans, spanAt } from './span-builder.ts';
import type { MemoryTable, Trace } from './trace.ts';

/** The ops that lie between two moments, with times from the first of them on; memory is as it was then. */
export const traceWindow = (trace: Trace, fromNs: number, toNs: number): Trace => {
  const spans = createSpanColumns();
  for (let row = 0; row < trace.spans.length; row++) {
    const span = spanAt(trace.spans, row);
    if (span.startNs >= fromNs && span.endNs <= toNs) appendSpan(spans, { ...span, startNs: span.startNs - fromNs, endNs: span.endNs - fromNs });
  }
  return { ...trace, spans: finishSpans(spans), memory: memoryWindow(trace.memory, fromNs, toNs), outOfMemory: null };
};

const memoryWindow = (memory: MemoryTable, fromNs: number, toNs: number): MemoryTable => {
  const before = new Map<string, MemoryChange>();
  const inside: MemoryChange[] = [];
  for (let row = 0; row < memory.length; row++) {
    const change = memoryChangeAt(memory, row);
    if (change.timeNs > toNs) continue;
    if (change.timeNs < fromNs) before.set(`${change.device}/${change.memoryClass}`, { ...change, timeNs: 0 });
    else inside.push({ ...change, timeNs: change.timeNs - fromNs });
  }
  const columns = createMemoryColumns();
  for (const change of [...before.values(), ...inside]) appendMemoryChange(columns, change);
  return finishMemory(columns);
};
