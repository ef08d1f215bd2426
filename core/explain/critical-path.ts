import type { Trace } from '../trace/trace.ts';
import { STREAM } from '../plan/op.ts';
import { findChains } from './chain.ts';

/** One span of the critical path, and how long nothing that was recorded happened before it. */
export interface CriticalStep {
  /** Row of the trace's span table. */
  readonly row: number;
  readonly waitNs: number;
  /** The part of the span that is on the path: a transfer, or the clocks of two ranks, may overlap what comes next. */
  readonly startNs: number;
  readonly endNs: number;
}

/**
 * The spans that held each other up from the start of the run to its end, in order of time: shortening anything else
 * changes nothing. Waits and spans together are the makespan; empty for a trace without spans.
 */
export const criticalPath = (trace: Trace): CriticalStep[] => {
  const { spans } = trace;
  const { before, waitNs } = findChains(trace);
  const steps: CriticalStep[] = [];
  let endNs = Infinity;
  for (let row = lastToEnd(trace); row >= 0; row = before[row]!) {
    const startNs = spans.startNs[row]!;
    steps.push({ row, waitNs: waitNs[row]!, startNs, endNs: Math.min(endNs, spans.endNs[row]!) });
    endNs = startNs - waitNs[row]!;
  }
  return steps.reverse();
};

/** Rows of the critical path, for drawing. */
export const criticalRows = (trace: Trace): number[] => criticalPath(trace).map(({ row }) => row);

/** The last span to end on any stream but the host's; of several the last in the table. */
const lastToEnd = ({ spans }: Trace): number => {
  let last = -1;
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.host && (last < 0 || spans.endNs[row]! >= spans.endNs[last]!)) last = row;
  }
  return last;
};
