import { KIND, STREAM, SUBJECT_OF_KIND } from '../plan/op.ts';
import { neighboursOf } from '../plan/pipelines.ts';
import type { PlanTables } from '../plan/plan.ts';
import { NS_PER_S } from '../units.ts';
import type { SpanTable, Trace } from './trace.ts';

/** A stretch of time in nanoseconds since the start of the run, `endNs` exclusive. */
export interface TimeWindow {
  readonly startNs: number;
  readonly endNs: number;
}

/** From the first start to the last end on the compute streams; null when nothing was computed. */
export const computeWindow = ({ spans }: Trace): TimeWindow | null => {
  let startNs = Infinity;
  let endNs = -Infinity;
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute) continue;
    startNs = Math.min(startNs, spans.startNs[row]!);
    endNs = Math.max(endNs, spans.endNs[row]!);
  }
  return startNs <= endNs ? { startNs, endNs } : null;
};

/** From the first start to the last end on any stream; 0 for an empty trace. */
export const makespanNs = ({ spans }: Trace): number => {
  let startNs = Infinity;
  let endNs = -Infinity;
  for (let row = 0; row < spans.length; row++) {
    startNs = Math.min(startNs, spans.startNs[row]!);
    endNs = Math.max(endNs, spans.endNs[row]!);
  }
  return spans.length === 0 ? 0 : endNs - startNs;
};

/** Time each device's compute stream is busy inside a window, in nanoseconds; by default over the whole run. */
export const busyNs = ({ spans, devices }: Trace, window: TimeWindow = ALWAYS): number[] => {
  const busy = devices.map(() => 0);
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute) continue;
    const startNs = Math.max(spans.startNs[row]!, window.startNs);
    busy[spans.device[row]!]! += Math.max(0, Math.min(spans.endNs[row]!, window.endNs) - startNs);
  }
  return busy;
};

const ALWAYS: TimeWindow = { startNs: -Infinity, endNs: Infinity };

/**
 * Idle time of all compute streams ÷ total device time, between the first and the last compute span or inside a window
 * (paper section 3.2); 0 where there is no time to be idle in.
 */
export const bubbleRatio = (trace: Trace, window: TimeWindow | null = computeWindow(trace)): number => {
  if (window === null) return 0;
  const totalNs = (window.endNs - window.startNs) * trace.devices.length;
  return totalNs > 0 ? 1 - busyNs(trace, window).reduce((sum, ns) => sum + ns, 0) / totalNs : 0;
};

/** Tokens whose backward reached the first stage of their pipeline; rows that tensor-parallel ranks share count once. */
export const trainedTokens = ({ spans, plan }: Trace): number => {
  const tokensOfShape = plan.shapes.map(({ parts }) => parts.reduce((sum, part) => sum + part.tokens, 0));
  const { previous } = neighboursOf(plan.stages);
  const counts = plan.stages.map(({ shard = 0 }, stage) => previous[stage]! < 0 && shard === 0);
  let tokens = 0;
  for (let row = 0; row < spans.length; row++) {
    const isBackward = spans.kind[row] === KIND.backward || spans.kind[row] === KIND.backwardInput;
    if (!isBackward || !counts[spans.stage[row]!]! || spans.stream[row] !== STREAM.compute) continue;
    tokens += tokensOfShape[plan.microbatches.shape[spans.operand[row]!]!]!;
  }
  return tokens;
};

/** Trained tokens ÷ makespan; 0 for a trace that takes no time. */
export const tokensPerSecond = (trace: Trace): number => {
  const durationNs = makespanNs(trace);
  return durationNs > 0 ? (trainedTokens(trace) * NS_PER_S) / durationNs : 0;
};

/** End of each adapter's last op on a compute stream, in nanoseconds since the start of the run; null if it had none. */
export const completionNs = ({ spans, plan }: Trace): (number | null)[] => {
  const ends = plan.adapters.map((): number | null => null);
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute) continue;
    for (const adapter of adaptersOfSpan(plan, spans, row)) {
      ends[adapter] = Math.max(ends[adapter] ?? 0, spans.endNs[row]!);
    }
  }
  return ends;
};

/** Adapters a span works for: those in its microbatch, or the one it steps, loads, saves or releases. */
export const adaptersOfSpan = ({ microbatches }: PlanTables, spans: SpanTable, row: number): Uint32Array => {
  const operand = spans.operand[row]!;
  return SUBJECT_OF_KIND[spans.kind[row]!] === 'microbatch'
    ? microbatches.partAdapter.subarray(microbatches.partStart[operand], microbatches.partStart[operand + 1])
    : spans.operand.subarray(row, row + 1);
};
