import { STREAM } from '../../core/plan/op.ts';
import type { TimeWindow } from '../../core/trace/metrics.ts';
import { centredBaseline } from '../surface/surface.ts';
import { drawBubbles, type Bubbles } from './bubbles.ts';
import type { Dependency } from './dependencies.ts';
import { drawArrows } from './draw-arrows.ts';
import { drawSpans } from './draw-spans.ts';
import { clampX, xOf, type Frame } from './frame.ts';
import { drawRowName } from './gutter.ts';
import type { TimelineMarks } from './marks.ts';
import type { Plot } from './plot.ts';
import { drawGrid } from './time-axis.ts';

/** How far everything fades that the highlight leaves out. */
const FADED = 0.22;

/** Shown instead of rows when nothing ran. */
export const EMPTY_MESSAGE = 'Nothing ran: this trace has no spans.';

const trackBoxes = (
  marks: TimelineMarks,
  frame: Frame,
  { startNs, endNs }: TimeWindow,
  compute: boolean,
): readonly number[] => {
  const from = clampX(frame, xOf(frame, startNs));
  const to = clampX(frame, xOf(frame, endNs));
  const rows = marks.rows.filter(({ row }) => (row.stream === STREAM.compute) === compute);
  return rows.flatMap(({ row }) => [from, row.y, to - from, row.height]);
};

/** Background of the rows: what stays visible on a compute row, from the first computation to the last, is a bubble. */
const drawTracks = ({ surface, frame, theme }: Plot, marks: TimelineMarks): void => {
  surface.boxes(theme.track, trackBoxes(marks, frame, marks, false));
  if (marks.computing !== null) surface.boxes(theme.idle, trackBoxes(marks, frame, marks.computing, true));
};

const drawEmpty = ({ surface, frame, theme }: Plot, { height }: TimelineMarks): void => {
  const style = { size: 13, fill: theme.muted, anchor: 'middle' as const };
  surface.text((frame.left + frame.width) / 2, centredBaseline(height / 2, style.size), EMPTY_MESSAGE, style);
};

/** What is drawn over and under the spans besides them. */
export interface Overlays {
  /** The same rows with some of their spans: every other span fades. */
  readonly highlight?: TimelineMarks | null;
  /** Idle time shaded by cause. */
  readonly bubbles?: Bubbles | null;
  readonly arrows?: readonly Dependency[];
}

/** Draws the rows of a timeline from y = 0 to the marks' height. */
export const drawTimeline = (plot: Plot, marks: TimelineMarks, overlays: Overlays = {}): void => {
  const { highlight = null, bubbles = null, arrows = [] } = overlays;
  if (marks.trace.spans.length === 0) return drawEmpty(plot, marks);
  drawTracks(plot, marks);
  if (bubbles !== null) {
    for (const { row } of marks.rows) if (row.stream === STREAM.compute) drawBubbles(plot, bubbles, row);
  }
  drawGrid(plot, 0, marks.height);
  if (highlight === null) drawSpans(plot, marks);
  else {
    plot.surface.fade(FADED, () => drawSpans(plot, marks));
    drawSpans(plot, highlight);
  }
  drawArrows(plot, marks, arrows);
  for (const { row } of marks.rows) drawRowName(plot, marks.trace, row);
};
