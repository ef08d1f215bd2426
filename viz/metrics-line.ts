import { format } from 'd3';
import { bubbleRatio, makespanNs, tokensPerSecond } from '../core/trace/metrics.ts';
import type { Trace } from '../core/trace/trace.ts';
import { formatDuration } from '../core/units.ts';

const rate = format(',.0f');

/** Makespan, bubble ratio and throughput of a trace in one line. */
export const metricsLine = (trace: Trace): string =>
  [
    `makespan ${formatDuration(makespanNs(trace))}`,
    `bubble ratio ${(100 * bubbleRatio(trace)).toFixed(1)} %`,
    `${rate(tokensPerSecond(trace))} tokens/s`,
  ].join(' · ');
