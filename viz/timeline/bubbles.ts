import { bisector } from 'd3';
import { addTimes, CAUSE_LABELS, IDLE_CAUSES, totalOfTimes, type IdleCause } from '../../core/explain/cause.ts';
import type { Gap } from '../../core/explain/idle.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { HATCH_WIDTH, hatchData } from '../surface/hatch.ts';
import { centredBaseline } from '../surface/surface.ts';
import { textWidth } from '../surface/text-width.ts';
import { createBoxBatch, type BoxBatch } from './batch.ts';
import { clampX, timeAt, xOf, type Frame } from './frame.ts';
import type { Plot } from './plot.ts';
import type { Row } from './rows.ts';

/** Idle stretches of every device's compute stream, in order of time. */
export interface Bubbles {
  readonly ofDevice: readonly (readonly Gap[])[];
}

/** Sorts the gaps of a trace by device. */
export const layoutBubbles = ({ devices }: Trace, gaps: readonly Gap[]): Bubbles => {
  const ofDevice: Gap[][] = devices.map(() => []);
  for (const gap of gaps) ofDevice[gap.device]!.push(gap);
  return { ofDevice };
};

const LABEL_SIZE = 9;
const LABEL_MARGIN = 4;
/** Width in pixels of the columns in which bubbles too narrow to draw are added up. */
const COLUMN_PIXELS = 4;

const byEnd = bisector(({ endNs }: Gap) => endNs);
const byStart = bisector(({ startNs }: Gap) => startNs);

const gapsInSight = (gaps: readonly Gap[], { startNs, endNs }: Frame): readonly Gap[] =>
  gaps.slice(byEnd.left(gaps, startNs), byStart.right(gaps, endNs));

/** Causes of a gap, the largest first. */
const causesOf = ({ byCause }: Gap): readonly IdleCause[] =>
  IDLE_CAUSES.filter((cause) => byCause[cause] > 0).sort((a, b) => byCause[b] - byCause[a]);

/** A gap as boxes beside each other, as wide as each cause's share of it. */
const addGap = (batch: BoxBatch, gap: Gap, row: Row, { frame, theme }: Plot): void => {
  let fromNs = gap.startNs;
  for (const cause of causesOf(gap)) {
    const toNs = fromNs + gap.byCause[cause];
    const x = clampX(frame, xOf(frame, fromNs));
    batch.add(theme.causes[cause], x, row.y, clampX(frame, xOf(frame, toNs)) - x, row.height);
    fromNs = toNs;
  }
};

/** Slanted lines over bubbles: no op has them on a compute row but for weight gradients, whose lines are dark. */
const hatchGaps = ({ surface, frame, theme }: Plot, gaps: readonly Gap[], row: Row): void => {
  const data = gaps.map(({ startNs, endNs }) => {
    const x = clampX(frame, xOf(frame, startNs));
    return hatchData([x, row.y, clampX(frame, xOf(frame, endNs)) - x, row.height]);
  });
  if (gaps.length > 0) surface.path(data.join(''), { stroke: theme.paper, width: HATCH_WIDTH });
};

/** Names the largest cause of a gap that has room for its name. */
const labelGap = ({ surface, frame, theme }: Plot, gap: Gap, row: Row): void => {
  const [cause] = causesOf(gap);
  if (cause === undefined) return;
  const left = clampX(frame, xOf(frame, gap.startNs));
  const width = clampX(frame, xOf(frame, gap.endNs)) - left;
  const text = CAUSE_LABELS[cause].split(':')[0]!;
  if (textWidth(text, LABEL_SIZE) + 2 * LABEL_MARGIN > width) return;
  const style = { size: LABEL_SIZE, fill: theme.ink, anchor: 'middle', halo: theme.causes[cause] } as const;
  surface.text(left + width / 2, centredBaseline(row.y + row.height / 2, LABEL_SIZE), text, style);
};

/** Bubbles too narrow to be seen as what they add up to, from the row's top down: ops are stacked from its foot. */
const drawColumns = ({ surface, frame, theme }: Plot, gaps: readonly Gap[], { y, height }: Row): void => {
  const columnNs = timeAt(frame, frame.left + COLUMN_PIXELS) - frame.startNs;
  const columns = Math.ceil(frame.width / COLUMN_PIXELS);
  const shares = new Float64Array(columns * IDLE_CAUSES.length);
  for (const { startNs, endNs, byCause } of gaps) {
    const first = Math.max(0, Math.floor((startNs - frame.startNs) / columnNs));
    for (let column = first; column < columns && frame.startNs + column * columnNs < endNs; column++) {
      const from = Math.max(startNs, frame.startNs + column * columnNs);
      const share = (Math.min(endNs, frame.startNs + (column + 1) * columnNs) - from) / (endNs - startNs);
      for (const [c, cause] of IDLE_CAUSES.entries()) shares[column * IDLE_CAUSES.length + c]! += (share * byCause[cause]) / columnNs;
    }
  }
  const fills = IDLE_CAUSES.map((cause) => theme.causes[cause]);
  surface.stacks({ x: frame.left, y, width: frame.width, height, columnWidth: COLUMN_PIXELS, fills, shares, from: 'top' });
};

/** Shades the bubbles of a device on its compute row by what they waited for. */
export const drawBubbles = (plot: Plot, { ofDevice }: Bubbles, row: Row): void => {
  const gaps = gapsInSight(ofDevice[row.device]!, plot.frame);
  if (gaps.length > plot.frame.width / 2) return drawColumns(plot, gaps, row);
  const batch = createBoxBatch();
  for (const gap of gaps) addGap(batch, gap, row, plot);
  batch.drawOn(plot.surface);
  hatchGaps(plot, gaps, row);
  for (const gap of gaps) labelGap(plot, gap, row);
};

/** The bubble of a device at a moment, or null. */
export const bubbleAt = ({ ofDevice }: Bubbles, device: number, timeNs: number): Gap | null => {
  const gaps = ofDevice[device] ?? [];
  const gap = gaps[byEnd.right(gaps, timeNs)];
  return gap !== undefined && gap.startNs <= timeNs ? gap : null;
};

/** A cause of less than this share of the idle time shows nowhere. */
const LEAST_SHARE = 0.001;

/** Causes that can be seen in the bubbles, in the order of the list of causes. */
export const causesIn = (all: readonly Bubbles[]): readonly IdleCause[] => {
  const total = addTimes(all.flatMap(({ ofDevice }) => ofDevice.flatMap((gaps) => gaps.map(({ byCause }) => byCause))));
  const leastNs = LEAST_SHARE * totalOfTimes(total);
  return IDLE_CAUSES.filter((cause) => total[cause] > leastNs);
};
