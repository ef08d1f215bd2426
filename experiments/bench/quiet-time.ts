import { KIND } from '../../core/plan/op.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { Trace } from '../../core/trace/trace.ts';

/**
 * Times of runs of one plan on a machine that others use too. They add to a run in bursts, so every run is cut into pieces
 * at the ends of the first device's optimizer steps, and each piece is taken from a run in which it was short.
 */

/** Times of the pieces of a run, nanoseconds, behind its first `warmUpSteps` steps. */
export const pieceTimes = (trace: Trace, warmUpSteps: number): number[] => {
  const { spans } = trace;
  const ends: number[] = [];
  for (let row = 0; row < spans.length; row++) {
    if (spans.device[row] === 0 && spans.kind[row] === KIND.step) ends.push(spans.endNs[row]!);
  }
  const cuts = [...ends.sort((a, b) => a - b).slice(warmUpSteps - 1, -1), makespanNs(trace)];
  return cuts.slice(1).map((end, index) => end - cuts[index]!);
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const lowerQuartile = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 4)]!;

/** Sum over the pieces of the lower quartile of their times in all runs. */
export const quietTime = (runs: readonly (readonly number[])[]): number =>
  sum(runs[0]!.map((_, piece) => lowerQuartile(runs.map((pieces) => pieces[piece]!))));

/** Times of whole runs. */
export const wholeTimes = (runs: readonly (readonly number[])[]): number[] => runs.map(sum);
