import { createChart, type Chart, type ChartOptions } from './chart.ts';
import { bindControls, currentTheme } from './controls.ts';
import { bindKeyboard } from './keyboard.ts';
import { bindMinimap } from './minimap.ts';
import { bindPointer } from './pointer.ts';
import { bindStatistics } from './statistics.ts';
import { createTooltip } from './tooltip.ts';

/** Brings the markup of `timelineSection` to life; the chart is empty until traces are shown. */
export const openTimeline = (section: HTMLElement, options: ChartOptions = {}): Chart => {
  const find = (selector: string): HTMLElement => section.querySelector<HTMLElement>(selector)!;
  const chart = createChart(find('.chart'), currentTheme(), options);
  const tooltip = createTooltip(find('.tooltip'));
  bindPointer(chart, tooltip);
  bindKeyboard(chart, tooltip);
  bindMinimap(chart, section.querySelector<HTMLCanvasElement>('canvas.minimap')!);
  bindControls(chart, section);
  bindStatistics(chart, section.querySelector<HTMLDetailsElement>('.statistics')!);
  return chart;
};
