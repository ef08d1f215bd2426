import { MEMORY_CLASSES, type MemoryClass } from '../cost-model.ts';
import type { Trace } from './trace.ts';

/** The most a device held at once. */
export interface PeakMemory {
  readonly bytes: number;
  readonly timeNs: number;
  /** What it was made of. */
  readonly byClass: Readonly<Record<MemoryClass, number>>;
}

const CLASSES = MEMORY_CLASSES.length;

/** Peak of every device. Changes of one instant count together: memory that moves between classes is not held twice. */
export const peakMemory = ({ memory, devices }: Trace): PeakMemory[] => {
  const trackers = devices.map(() => ({ held: new Float64Array(CLASSES), total: 0, timeNs: 0, peak: NOTHING }));
  for (let row = 0; row < memory.length; row++) {
    const tracker = trackers[memory.device[row]!]!;
    const memoryClass = memory.memoryClass[row]!;
    if (memory.timeNs[row]! > tracker.timeNs) notePeak(tracker);
    tracker.timeNs = memory.timeNs[row]!;
    tracker.total += memory.bytes[row]! - tracker.held[memoryClass]!;
    tracker.held[memoryClass] = memory.bytes[row]!;
  }
  return trackers.map((tracker) => {
    notePeak(tracker);
    const { total, timeNs, held } = tracker.peak;
    return { bytes: total, timeNs, byClass: byName(held) };
  });
};

interface Moment {
  readonly total: number;
  readonly timeNs: number;
  readonly held: Float64Array;
}

const NOTHING: Moment = { total: 0, timeNs: 0, held: new Float64Array(CLASSES) };

const notePeak = (tracker: Moment & { peak: Moment }): void => {
  if (tracker.total <= tracker.peak.total) return;
  tracker.peak = { total: tracker.total, timeNs: tracker.timeNs, held: tracker.held.slice() };
};

const byName = (held: Float64Array): Record<MemoryClass, number> =>
  Object.fromEntries(MEMORY_CLASSES.map((name, index) => [name, held[index]])) as Record<MemoryClass, number>;
