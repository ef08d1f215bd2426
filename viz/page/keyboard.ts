import { clampX, xOf } from '../timeline/frame.ts';
import { firstSpan, rowOf, spanBeside, spanInNextRow } from '../timeline/pick.ts';
import { workOf } from '../timeline/work.ts';
import { describeInChart } from './describe-in-chart.ts';
import type { Chart, Place } from './chart.ts';
import { PANEL_MARGIN } from './panel.ts';
import type { Tooltip } from './tooltip.ts';

const PAN_SHARE = 0.2;
const ZOOM_FACTOR = 1.6;

/** Moves the window so that the op is in it, as little as possible. */
const reveal = (chart: Chart, { view, span }: Place): void => {
  const { startNs, endNs } = chart.views()[view]!.marks.trace.spans;
  const window = chart.zoom.window();
  const length = window.endNs - window.startNs;
  if (startNs[span]! < window.startNs || endNs[span]! > window.endNs) {
    const from = (startNs[span]! + endNs[span]!) / 2 - length / 2;
    chart.zoom.show({ startNs: from, endNs: from + length });
  }
};

const showPlace = (chart: Chart, tooltip: Tooltip, place: Place): void => {
  reveal(chart, place);
  const { marks, timelineCanvas } = chart.views()[place.view]!;
  const { spans } = marks.trace;
  const { row } = rowOf(marks, place.span);
  timelineCanvas.scrollIntoView({ block: 'nearest' });
  const box = timelineCanvas.getBoundingClientRect();
  const frame = chart.frame();
  const x = clampX(frame, xOf(frame, spans.startNs[place.span]!));
  chart.keep(workOf(marks.trace, place.span), place);
  const top = box.top + PANEL_MARGIN + row.y;
  tooltip.show(describeInChart(chart, marks.trace, place.span), { x: box.left + x, top, bottom: top + row.height });
};

const firstPlace = (chart: Chart): Place | null => {
  const { startNs, endNs } = chart.zoom.window();
  for (const [view, { marks }] of chart.views().entries()) {
    const span = firstSpan(marks, startNs, endNs);
    if (span !== null) return { view, span };
  }
  return null;
};

const placeBeside = (chart: Chart, { view, span }: Place, direction: -1 | 1): Place | null => {
  const found = spanBeside(chart.views()[view]!.marks, span, direction);
  return found === null ? null : { view, span: found };
};

/** The op above or below; past the last row of a trace comes the next trace. */
const placeInNextRow = (chart: Chart, { view, span }: Place, direction: -1 | 1): Place | null => {
  const found = spanInNextRow(chart.views()[view]!.marks, span, direction);
  if (found !== null) return { view, span: found };
  const next = chart.views()[view + direction]?.marks;
  const { startNs, endNs } = chart.zoom.window();
  const first = next === undefined ? null : firstSpan(next, startNs, endNs);
  return first === null ? null : { view: view + direction, span: first };
};

/** Binds the keys that the page's help names. */
export const bindKeyboard = (chart: Chart, tooltip: Tooltip): void => {
  let place: Place | null = null;
  const walk = (next: (from: Place) => Place | null): void => {
    place = place === null ? firstPlace(chart) : (next(place) ?? place);
    if (place !== null) showPlace(chart, tooltip, place);
  };
  const leave = (): void => {
    place = null;
    chart.keep(null);
    tooltip.hide();
  };
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => chart.zoom.move(-PAN_SHARE),
    ArrowRight: () => chart.zoom.move(PAN_SHARE),
    '+': () => chart.zoom.magnify(ZOOM_FACTOR),
    '=': () => chart.zoom.magnify(ZOOM_FACTOR),
    '-': () => chart.zoom.magnify(1 / ZOOM_FACTOR),
    '0': chart.zoom.showWhole,
    n: () => walk((from) => placeBeside(chart, from, 1)),
    p: () => walk((from) => placeBeside(chart, from, -1)),
    ArrowDown: () => walk((from) => placeInNextRow(chart, from, 1)),
    ArrowUp: () => walk((from) => placeInNextRow(chart, from, -1)),
    Escape: leave,
  };
  chart.element.addEventListener('keydown', (event) => {
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  chart.element.addEventListener('show', () => (place = null));
  chart.element.addEventListener('blur', () => tooltip.hide());
};
