import { formatBytes } from '../../core/units.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { lineData } from '../surface/surface.ts';
import { textWidth } from '../surface/text-width.ts';
import { clampX, xOf } from '../timeline/frame.ts';
import { drawDeviceName } from '../timeline/gutter.ts';
import type { Plot } from '../timeline/plot.ts';
import { drawGrid } from '../timeline/time-axis.ts';
import { STACK_ORDER, type MemoryBand } from './bands.ts';
import { BAND_HEIGHT, thinSteps, type MemoryMarks } from './memory-marks.ts';

const NOTE_SIZE = 9;
const ALARM_SIZE = 10;

/** Height of so many bytes in pixels. */
const pixelsOf = ({ scale }: MemoryMarks, bytes: number): number => (bytes / scale.topBytes) * BAND_HEIGHT;

/** Corners of the area under a class's top, from the floor to the floor, as x, y, x, y …; empty where it has no height. */
const outlineOf = (marks: MemoryMarks, top: Float64Array, xs: readonly number[], steps: readonly number[]): number[] => {
  const points: number[] = [];
  let y = BAND_HEIGHT;
  for (let s = 0; s < steps.length; s++) {
    const next = BAND_HEIGHT - pixelsOf(marks, top[steps[s]!]!);
    if (next === y) continue;
    points.push(xs[s]!, y, xs[s]!, next);
    y = next;
  }
  if (points.length > 0) points.push(xs.at(-1)!, y, xs.at(-1)!, BAND_HEIGHT);
  return points;
};

/** From the highest class down, each over the one above it: all areas stand on the floor. */
const drawAreas = ({ surface, frame, theme }: Plot, marks: MemoryMarks, band: MemoryBand): void => {
  const steps = thinSteps(band, frame);
  const xs = [...steps.map((step) => band.timeNs[step]!), marks.endNs].map((timeNs) => clampX(frame, xOf(frame, timeNs)));
  for (const [c, name] of [...STACK_ORDER.entries()].reverse()) {
    const isEmpty = steps.every((step) => band.tops[c]![step] === (band.tops[c - 1]?.[step] ?? 0));
    if (!isEmpty) surface.polygon(theme.memory[name], outlineOf(marks, band.tops[c]!, xs, steps));
  }
};

/** The capacity line where it is within sight. */
const drawCapacity = ({ surface, frame, theme }: Plot, marks: MemoryMarks, band: MemoryBand): void => {
  const { capacityBytes } = marks.trace.devices[band.device]!;
  if (!(capacityBytes > 0 && capacityBytes <= marks.scale.topBytes)) return;
  const y = BAND_HEIGHT - pixelsOf(marks, capacityBytes);
  const right = frame.left + frame.width;
  const style = { size: NOTE_SIZE, fill: theme.alarm, anchor: 'end', halo: theme.paper } as const;
  surface.path(lineData(frame.left, y, right, y), { stroke: theme.alarm, width: 1, dash: '5 3' });
  surface.text(right - 3, y - 2.5, 'capacity', style);
};

const drawScale = ({ surface, frame, theme }: Plot, marks: MemoryMarks): void => {
  const { left, width } = frame;
  for (const { bytes, label } of marks.scale.ticks) {
    const y = BAND_HEIGHT - pixelsOf(marks, bytes);
    surface.path(lineData(left - 4, y, left, y), { stroke: theme.muted });
    surface.text(left - 6, y + 3, label, { size: NOTE_SIZE, fill: theme.muted, anchor: 'end' });
  }
  surface.path(lineData(left, BAND_HEIGHT, left + width, BAND_HEIGHT), { stroke: theme.muted, width: 0.5 });
};

const peakNotes = ({ peakBytes, device }: MemoryBand, trace: Trace): readonly string[] => {
  const { capacityBytes } = trace.devices[device]!;
  const known = Number.isFinite(capacityBytes) && capacityBytes > 0;
  return [`peak ${formatBytes(peakBytes)}`, ...(known ? [`of ${formatBytes(capacityBytes)}`] : [])];
};

const drawBand = (plot: Plot, marks: MemoryMarks, band: MemoryBand): void => {
  const { surface, frame, theme } = plot;
  surface.boxes(theme.track, [frame.left, 0, frame.width, BAND_HEIGHT]);
  drawGrid(plot, 0, BAND_HEIGHT);
  drawAreas(plot, marks, band);
  drawCapacity(plot, marks, band);
  drawScale(plot, marks);
  drawDeviceName(plot, marks.trace.devices[band.device]!.name, peakNotes(band, marks.trace));
};

/** The moment a device ran out of memory, in its band. */
const drawOutOfMemory = ({ surface, frame, theme }: Plot, { trace, pitch }: MemoryMarks): void => {
  const { outOfMemory } = trace;
  if (outOfMemory === null || outOfMemory.timeNs < frame.startNs || outOfMemory.timeNs > frame.endNs) return;
  const { memoryClass, missingBytes, op, device } = outOfMemory;
  const text = `out of memory: ${memoryClass} lacks ${formatBytes(missingBytes)} at ${op}`;
  const x = xOf(frame, outOfMemory.timeNs);
  const toTheLeft = x - frame.left > textWidth(text, ALARM_SIZE, true);
  const style = { size: ALARM_SIZE, fill: theme.alarm, bold: true, halo: theme.paper };
  surface.lower(device * pitch, () => {
    surface.path(lineData(x, 0, x, BAND_HEIGHT), { stroke: theme.alarm, width: 2 });
    surface.text(x + (toTheLeft ? -5 : 5), BAND_HEIGHT - 5, text, { ...style, anchor: toTheLeft ? 'end' : 'start' });
  });
};

/** Draws every device's memory over time from y = 0 to the marks' height. */
export const drawMemory = (plot: Plot, marks: MemoryMarks): void => {
  if (marks.height === 0) return;
  for (const band of marks.bands) plot.surface.lower(band.device * marks.pitch, () => drawBand(plot, marks, band));
  drawOutOfMemory(plot, marks);
};
