import { timeAt } from '../timeline/frame.ts';
import { describeSpan, type Description } from '../timeline/describe-span.ts';
import { pickSpan } from '../timeline/pick.ts';
import { isSameWork, workOf, type Work } from '../timeline/work.ts';
import { describeMemory } from '../memory/describe-memory.ts';
import type { Chart } from './chart.ts';
import { PANEL_MARGIN } from './panel.ts';
import type { Tooltip } from './tooltip.ts';

/** What lies under the pointer. */
interface Target {
  readonly work: Work | null;
  readonly description: Description;
}

const targetAt = (chart: Chart, event: PointerEvent | MouseEvent): Target | null => {
  const { offsetX: x, target } = event;
  const y = event.offsetY - PANEL_MARGIN;
  const frame = chart.frame();
  if (x < frame.left) return null;
  for (const { marks, memory, timelineCanvas, memoryCanvas } of chart.views()) {
    if (target === timelineCanvas) {
      const span = pickSpan(marks, frame, x, y);
      return span === null ? null : { work: workOf(marks.trace, span), description: describeSpan(marks.trace, span) };
    }
    if (target === memoryCanvas) {
      const description = describeMemory(memory, y, timeAt(frame, x));
      return description === null ? null : { work: null, description };
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
    chart.point(found?.work ?? null);
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
    const work = targetAt(chart, event)?.work ?? null;
    chart.keep(isSameWork(work, chart.kept()) ? null : work);
  });
};
