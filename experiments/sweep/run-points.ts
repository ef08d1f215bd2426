import { messageOf } from '../../core/error-message.ts';
import type { Journal } from './journal.ts';
import type { PointResult, SweepPoint } from './sweep.ts';

export interface RunPointsOptions {
  readonly journal: Journal;
  /** Runs one point; rejects where that is impossible. As many as `concurrency` at a time. */
  readonly evaluate: (point: SweepPoint) => Promise<PointResult>;
  readonly concurrency: number;
  readonly onDone: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/** A point that could not be run, and why. */
export interface FailedPoint {
  readonly point: SweepPoint;
  readonly reason: string;
}

/** Runs the points that the journal lacks, each result written down as it comes; stops early when aborted. */
export const runPoints = async (points: readonly SweepPoint[], options: RunPointsOptions): Promise<readonly FailedPoint[]> => {
  const { journal, evaluate, concurrency, onDone, signal } = options;
  // Points that differ in what has no effect are one experiment.
  const missing = [...new Map(points.map((point) => [point.id, point])).values()].filter(({ id }) => !journal.known.has(id));
  const queue = missing.values();
  const failed: FailedPoint[] = [];
  let done = 0;
  const work = async (): Promise<void> => {
    for (const point of queue) {
      if (signal.aborted) return;
      try {
        journal.append(point.id, await evaluate(point));
      } catch (error) {
        if (isAborted(signal)) return;
        failed.push({ point, reason: messageOf(error) });
      }
      onDone(++done, missing.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return failed;
};

/** Asked anew: the signal may have changed while a point ran. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
