import { bisectLeft, bisectRight } from 'd3';
import type { Trace } from '../../core/trace/trace.ts';
import { timeAt, xOf, type Frame } from '../timeline/frame.ts';
import { layoutBands, type MemoryBand } from './bands.ts';
import { byteScale, type ByteScale } from './byte-scale.ts';

/** Height of a device's band in pixels. */
export const BAND_HEIGHT = 46;
const BAND_GAP = 12;

/** Memory bands of a trace under one common scale; device d's band starts at `d · pitch` pixels. */
export interface MemoryMarks {
  readonly trace: Trace;
  readonly bands: readonly MemoryBand[];
  readonly scale: ByteScale;
  readonly pitch: number;
  /** Pixels; 0 when the trace has no memory. */
  readonly height: number;
  /** Until when the last state lasts. */
  readonly endNs: number;
}

/** Lays the memory of a trace out, a band for every device; the last state lasts until `endNs` at least. */
export const layoutMemory = (trace: Trace, endNs: number): MemoryMarks => {
  const bands = layoutBands(trace);
  const pitch = BAND_HEIGHT + BAND_GAP;
  return {
    trace,
    bands,
    scale: byteScale(trace, bands),
    pitch,
    height: trace.memory.length === 0 ? 0 : bands.length * pitch - BAND_GAP,
    endNs: Math.max(endNs, trace.memory.timeNs[trace.memory.length - 1] ?? 0),
  };
};

/** Positions of the steps to draw: of those that share a pixel the highest, and the last one where it stays for longer. */
export const thinSteps = ({ timeNs, tops }: MemoryBand, frame: Frame): readonly number[] => {
  const total = tops.at(-1)!;
  const first = Math.max(0, bisectRight(timeNs, frame.startNs) - 1);
  const end = bisectRight(timeNs, frame.endNs);
  const kept: number[] = [];
  for (let step = first; step < end;) {
    const pixel = Math.floor(xOf(frame, timeNs[step]!));
    // Found by halving: a long run has hundreds of steps in a pixel.
    const next = Math.max(step + 1, bisectLeft(timeNs, timeAt(frame, pixel + 1), step, end));
    let highest = step;
    for (let other = step + 1; other < next; other++) if (total[other]! > total[highest]!) highest = other;
    kept.push(highest);
    const staysOn = next === timeNs.length || timeNs[next]! > timeAt(frame, pixel + 2);
    if (highest !== next - 1 && staysOn) kept.push(next - 1);
    step = next;
  }
  return kept;
};
