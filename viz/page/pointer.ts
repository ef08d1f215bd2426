import { STREAM } from '../../core/plan/op.ts';
import { timeAt } from '../timeline/frame.ts';
import { bubbleAt } from '../timeline/bubbles.ts';
import { describeBubble } from '../timeline/describe-bubble.ts';
import type { Description } from '../timeline/describe-span.ts';
import { describeInChart } from './describe-in-chart.ts';
import { pickSpan } from '../timeline/pick.ts';
import { isSameWork, workOf, type Work } from '../timeline/work.ts';
import { describeMemory } from '../memory/describe-memory.ts';
import type { Chart, Place } from './chart.ts';
import { PANEL_MARGIN } from './panel.ts';
import type { Tooltip } from './tooltip.ts';

/** What lies under the pointer. */
interface Target {
  readonly work: Work | null;
  readonly place: Place | null;
  readonly description: Description;
}

/** The bubble at a point, when bubbles are shown. */
const bubbleTarget = (chart: Chart, view: number, timeNs: number, y: number): Target | null => {
  const { marks } = chart.views()[view]!;
  const row = marks.rows.find(({ row: each }) => each.stream === STREAM.compute && y >= each.y && y < each.y + each.height)?.row;
  const bubbles = chart.bubblesOf(view);
  const gap = row === undefined || bubbles === null ? null : bubbleAt(bubbles, row.device, timeNs);
  return gap === null ? null : { work: null, place: null, description: describeBubble(marks.trace, gap) };
};

const targetAt = (chart: Chart, event: PointerEvent | MouseEvent): Target | null => {
  const { offsetX: x, target } = event;
  const y = event.offsetY - PANEL_MARGIN;
  const frame = chart.frame();
  if (x < frame.left) return null;
  for (const [view, { marks, memory, timelineCanvas, memoryCanvas }] of chart.views().entries()) {
    if (target === timelineCanvas) {
      const span = pickSpan(marks, frame, x, y);
      if (span === null) return bubbleTarget(chart, view, timeAt(frame, x), y);
      return { work: workOf(marks.trace, span), place: { view, span }, description: describeInChart(chart, marks.trace, span) };
    }
    if (target === memoryCanvas) {
      const description = describeMemory(memory, y, timeAt(frame, x));
      return description === null ? null : { work: null, place: null, description };
    }
  }
  return null;
};

const cursorOf = (chart: Chart): HTMLElement | null => chart.element.querySelector<HTMLElement>('.cursor');

const moveCursor = (chart: Chart, clientX: number): void => {
  const cursor = cursorOf(chart);
  if (cursor === null) return;
  const x = clientX - chart.element.getBoundingClientRect().left;
  const { left, width } = chart.frame();
  const inside = x >= left && x <= left + width;
  cursor.style.display = inside ? 'block' : 'none';
  cursor.style.transform = `translateX(${x}px)`;
};

/** Details under the pointer, highlight of the work it belongs to, and a line at the pointer's time across all rows. */
export const bindPointer = (chart: Chart, tooltip: Tooltip): void => {
  chart.element.addEventListener('pointermove', (event) => {
    const dragging = event.buttons !== 0;
    chart.element.classList.toggle('dragging', dragging);
    moveCursor(chart, event.clientX);
    const found = dragging ? null : targetAt(chart, event);
    chart.point(found?.work ?? null, found?.place ?? null);
    if (found === null) tooltip.hide();
    else tooltip.show(found.description, { x: event.clientX, top: event.clientY, bottom: event.clientY });
  });
  chart.element.addEventListener('pointerleave', () => {
    moveCursor(chart, -1);
    chart.element.classList.remove('dragging');
    chart.point(null);
    tooltip.hide();
  });
  chart.element.addEventListener('click', (event) => {
    const { work, place } = targetAt(chart, event) ?? { work: null, place: null };
    if (isSameWork(work, chart.kept())) chart.keep(null);
    else chart.keep(work, place);
  });
};
