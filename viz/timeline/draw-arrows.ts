import type { Dependency } from './dependencies.ts';
import { clampX, xOf, type Frame } from './frame.ts';
import type { TimelineMarks } from './marks.ts';
import { rowOf } from './pick.ts';
import type { Plot } from './plot.ts';

const HEAD = 5;
/** How far an arrow leaves and arrives level, in pixels. */
const SWING = 14;

const round = (value: number): number => Math.round(value * 100) / 100;

const isInSight = ({ startNs, endNs }: Frame, timeNs: number): boolean => timeNs >= startNs && timeNs <= endNs;

/** From the end of one bar to the start of another as path data; empty where neither end is in sight. */
const arrowData = (frame: Frame, marks: TimelineMarks, { from, to }: Dependency): string => {
  const { spans } = marks.trace;
  const [startNs, endNs] = [spans.endNs[from]!, spans.startNs[to]!];
  if (!isInSight(frame, startNs) && !isInSight(frame, endNs)) return '';
  const [source, target] = [rowOf(marks, from).row, rowOf(marks, to).row];
  const [x1, x2] = [clampX(frame, xOf(frame, startNs)), clampX(frame, xOf(frame, endNs))].map(round) as [number, number];
  const [y1, y2] = [source.y + source.height / 2, target.y + target.height / 2].map(round) as [number, number];
  const curve = `M${x1},${y1}C${round(x1 + SWING)},${y1} ${round(x2 - SWING)},${y2} ${x2},${y2}`;
  return `${curve}M${round(x2 - HEAD)},${round(y2 - HEAD / 1.6)}L${x2},${y2}L${round(x2 - HEAD)},${round(y2 + HEAD / 1.6)}`;
};

/** Draws what a span waited for and what waited for it as arrows over the rows. */
export const drawArrows = ({ surface, frame, theme }: Plot, marks: TimelineMarks, arrows: readonly Dependency[]): void => {
  const data = arrows.map((arrow) => arrowData(frame, marks, arrow)).join('');
  if (data === '') return;
  surface.path(data, { stroke: theme.paper, width: 4 });
  surface.path(data, { stroke: theme.ink, width: 1.6 });
};
