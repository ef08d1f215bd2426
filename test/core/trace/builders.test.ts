import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendMemoryChange, createMemoryColumns, finishMemory, memoryChangeAt } from '../../../core/trace/memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans, spanAt } from '../../../core/trace/span-builder.ts';
import { changesArbitrary, spansArbitrary } from './traces.ts';

describe('span columns', () => {
  it('give back every span, in order of start, those that start together in the order they came', () => {
    fc.assert(
      fc.property(spansArbitrary, fc.nat({ max: 30 }), (spans, capacity) => {
        const columns = createSpanColumns(capacity);
        for (const span of spans) appendSpan(columns, span);
        const table = finishSpans(columns);
        const rows = Array.from({ length: table.length }, (_, row) => spanAt(table, row));
        expect(rows).toEqual(spans.toSorted((a, b) => a.startNs - b.startNs));
        expect(table.startNs).toHaveLength(spans.length);
      }),
    );
  });
});

describe('memory columns', () => {
  it('give back every change in order of time', () => {
    fc.assert(
      fc.property(changesArbitrary, fc.nat({ max: 30 }), (changes, capacity) => {
        const columns = createMemoryColumns(capacity);
        for (const change of changes) appendMemoryChange(columns, change);
        const table = finishMemory(columns);
        const rows = Array.from({ length: table.length }, (_, row) => memoryChangeAt(table, row));
        expect(rows).toEqual(changes.toSorted((a, b) => a.timeNs - b.timeNs));
      }),
    );
  });
});
