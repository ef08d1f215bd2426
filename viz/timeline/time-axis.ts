import { scaleLinear } from 'd3';
import { NS_PER_MS, NS_PER_S, NS_PER_US } from '../../core/units.ts';
import { lineData } from '../surface/surface.ts';
import { textWidth } from '../surface/text-width.ts';
import { xOf, type Frame } from './frame.ts';
import type { Plot } from './plot.ts';

export interface TimeTick {
  readonly timeNs: number;
  readonly label: string;
}

export interface TimeTicks {
  readonly unit: 's' | 'ms' | 'µs' | 'ns';
  readonly ticks: readonly TimeTick[];
}

export const AXIS_HEIGHT = 22;
const TICK_SIZE = 10.5;
const TICK_LENGTH = 4;
/** Pixels from tick to tick at least, and between two labels. */
const DENSEST_TICKS = 55;
const LABEL_GAP = 14;

const UNITS = [
  ['s', NS_PER_S],
  ['ms', NS_PER_MS],
  ['µs', NS_PER_US],
  ['ns', 1],
] as const;

/** About `count` round moments in the window, labelled in the largest unit that its end reaches. */
export const timeTicks = (startNs: number, endNs: number, count: number): TimeTicks => {
  const [unit, size] = UNITS.find(([, ns]) => endNs >= ns) ?? UNITS[3];
  const scale = scaleLinear([startNs / size, endNs / size], [0, 1]);
  const format = scale.tickFormat(count);
  const labelOf = (value: number): string => (value === 0 ? '0' : format(value));
  return { unit, ticks: scale.ticks(count).map((value) => ({ timeNs: value * size, label: labelOf(value) })) };
};

const fits = ({ ticks }: TimeTicks, frame: Frame): boolean => {
  const widest = Math.max(0, ...ticks.map(({ label }) => textWidth(label, TICK_SIZE)));
  const [first, second] = ticks.map(({ timeNs }) => xOf(frame, timeNs));
  return first === undefined || second === undefined || second - first >= widest + LABEL_GAP;
};

/** Ticks as many as fit a frame without touching each other. */
export const ticksOf = (frame: Frame): TimeTicks => {
  for (let count = Math.floor(frame.width / DENSEST_TICKS); count > 0; count--) {
    const ticks = timeTicks(frame.startNs, frame.endNs, count);
    if (fits(ticks, frame)) return ticks;
  }
  const { unit, ticks } = timeTicks(frame.startNs, frame.endNs, 1);
  return { unit, ticks: ticks.slice(0, 1) };
};

/** Vertical lines at the ticks, from y1 to y2. */
export const drawGrid = ({ surface, frame, theme }: Plot, y1: number, y2: number): void => {
  const data = ticksOf(frame).ticks.map(({ timeNs }) => {
    const x = Math.round(xOf(frame, timeNs)) + 0.5;
    return lineData(x, y1, x, y2);
  });
  if (data.length > 0) surface.path(data.join(''), { stroke: theme.grid });
};

/** The time axis with its line at y = 0, labels below it and its name and unit left of the plot area. */
export const drawTimeAxis = ({ surface, frame, theme }: Plot): void => {
  const { unit, ticks } = ticksOf(frame);
  const { left, width } = frame;
  const baseline = TICK_LENGTH + 11;
  surface.path(lineData(left, 0.5, left + width, 0.5), { stroke: theme.muted });
  surface.text(left - 14, baseline, `time (${unit})`, { size: TICK_SIZE, fill: theme.muted, anchor: 'end' });
  for (const { timeNs, label } of ticks) {
    const x = xOf(frame, timeNs);
    surface.path(lineData(x, 0, x, TICK_LENGTH), { stroke: theme.muted });
    surface.text(x, baseline, label, { size: TICK_SIZE, fill: theme.ink, anchor: 'middle' });
  }
};
