import type { LabelledTrace } from '../report.ts';
import type { ThemeName } from '../theme.ts';
import { timelineSvg } from '../timeline-svg.ts';
import { isSameWork, type Work } from '../timeline/work.ts';
import type { Chart } from './chart.ts';

const ZOOM_FACTOR = 2;

const darkScheme = (): MediaQueryList => window.matchMedia('(prefers-color-scheme: dark)');

/** The theme the page shows: the reader's choice, else the system's. */
export const currentTheme = (): ThemeName => {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return darkScheme().matches ? 'dark' : 'light';
};

const toggleTheme = (chart: Chart): void => {
  document.documentElement.dataset.theme = currentTheme() === 'dark' ? 'light' : 'dark';
  chart.setTheme(currentTheme());
};

const saveSvg = ({ label, subtitle, trace }: LabelledTrace): void => {
  const svg = timelineSvg(trace, { title: label, subtitle, theme: currentTheme() });
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `timeline-${trace.source}.svg`;
  link.click();
  URL.revokeObjectURL(url);
};

const onClick = (selector: string, action: (button: HTMLElement) => void): void => {
  for (const button of document.querySelectorAll<HTMLElement>(selector))
    button.addEventListener('click', () => action(button));
};

const workOfButton = (button: HTMLElement): Work => ({ kind: 'adapter', adapter: Number(button.dataset.adapter) });

/** Buttons of the legend: pointing at an adapter shows its ops, pressing keeps them. */
const bindAdapters = (chart: Chart): void => {
  const buttons = [...document.querySelectorAll<HTMLElement>('button[data-adapter]')];
  for (const button of buttons) {
    const work = workOfButton(button);
    button.addEventListener('pointerenter', () => chart.point(work));
    button.addEventListener('pointerleave', () => chart.point(null));
    button.addEventListener('click', () => chart.keep(isSameWork(work, chart.kept()) ? null : work));
  }
  chart.element.addEventListener('keep', () => {
    for (const button of buttons)
      button.setAttribute('aria-pressed', String(isSameWork(workOfButton(button), chart.kept())));
  });
};

/** Binds the page's buttons and the system's colour scheme. */
export const bindControls = (chart: Chart, traces: readonly LabelledTrace[]): void => {
  onClick('[data-action=in]', () => chart.zoom.magnify(ZOOM_FACTOR));
  onClick('[data-action=out]', () => chart.zoom.magnify(1 / ZOOM_FACTOR));
  onClick('[data-action=whole]', () => chart.zoom.showWhole());
  onClick('[data-action=theme]', () => toggleTheme(chart));
  onClick('[data-save]', (button) => saveSvg(traces[Number(button.dataset.save)]!));
  bindAdapters(chart);
  darkScheme().addEventListener('change', () => chart.setTheme(currentTheme()));
};
