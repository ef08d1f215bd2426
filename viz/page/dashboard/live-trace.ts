import type { Trace } from '../../../core/trace/trace.ts';

/** The trace with its first moment at 0: it is the end of a run that may have begun a month ago. */
export const fromItsStart = (trace: Trace): Trace => {
  const { spans, memory } = trace;
  if (spans.length === 0) return trace;
  const first = spans.startNs.reduce((least, start) => Math.min(least, start), Infinity);
  const shifted = (times: Float64Array): Float64Array => times.map((time) => Math.max(0, time - first));
  return {
    ...trace,
    spans: { ...spans, startNs: shifted(spans.startNs), endNs: shifted(spans.endNs) },
    memory: { ...memory, timeNs: shifted(memory.timeNs) },
  };
};
