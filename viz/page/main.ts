import { fromEmbeddedJson } from '../embed.ts';
import type { LabelledTrace } from '../report.ts';
import { createChart } from './chart.ts';
import { bindControls, currentTheme } from './controls.ts';
import { bindKeyboard } from './keyboard.ts';
import { bindPointer } from './pointer.ts';
import { createTooltip } from './tooltip.ts';

/** The traces that reportHtml put into this page. */
const readTraces = (): readonly LabelledTrace[] =>
  fromEmbeddedJson(document.getElementById('traces')?.textContent ?? '[]') as readonly LabelledTrace[];

const start = (): void => {
  const element = document.querySelector<HTMLElement>('.chart');
  const details = document.querySelector<HTMLElement>('.tooltip');
  if (element === null || details === null) return;
  const traces = readTraces();
  const chart = createChart(element, traces, currentTheme());
  const tooltip = createTooltip(details);
  bindPointer(chart, tooltip);
  bindKeyboard(chart, tooltip);
  bindControls(chart, traces);
};

start();
