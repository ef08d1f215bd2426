import type { LabelledTrace } from '../report.ts';
import type { ThemeName } from '../theme.ts';
import { timelineSvg } from '../timeline-svg.ts';
import { isSameWork, type Work } from '../timeline/work.ts';
import { legendsMarkup, saveMarkup } from '../timeline-markup.ts';
import { causesIn } from '../timeline/bubbles.ts';
import type { ColourBy } from '../timeline/colour-by.ts';
import type { Chart } from './chart.ts';
import { pngOfSvg } from './png-of-svg.ts';
import { saveBlob, saveText } from './save-text.ts';

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

/** The picture of a trace as the page shows it, whole. */
const save = (chart: Chart, { label, subtitle, trace }: LabelledTrace, format: string | undefined): void => {
  const { colourBy, bubbles } = chart.settings();
  const svg = timelineSvg(trace, { title: label, subtitle, theme: currentTheme(), colourBy, bubbles });
  const name = `timeline-${trace.source}`;
  if (format === 'png') void pngOfSvg(svg).then((png) => saveBlob(`${name}.png`, png));
  else saveText(`${name}.svg`, 'image/svg+xml', svg);
};

/** Buttons of the legend: pointing at an adapter shows its ops, pressing keeps them. */
const workOfButton = (target: EventTarget | null): Work | null => {
  const button = target instanceof Element ? target.closest<HTMLElement>('button[data-adapter]') : null;
  return button === null ? null : { kind: 'adapter', adapter: Number(button.dataset.adapter) };
};

const bindLegends = (chart: Chart, legends: HTMLElement): void => {
  const markKept = (): void => {
    for (const button of legends.querySelectorAll('button[data-adapter]'))
      button.setAttribute('aria-pressed', String(isSameWork(workOfButton(button), chart.kept())));
  };
  legends.addEventListener('pointerover', (event) => chart.point(workOfButton(event.target)));
  legends.addEventListener('pointerleave', () => chart.point(null));
  legends.addEventListener('click', (event) => {
    const work = workOfButton(event.target);
    if (work !== null) chart.keep(isSameWork(work, chart.kept()) ? null : work);
  });
  chart.element.addEventListener('keep', markKept);
  const fill = (): void => {
    const bubbles = chart.views().flatMap((_, v) => chart.bubblesOf(v) ?? []);
    legends.innerHTML = legendsMarkup(chart.traces(), chart.settings().colourBy, causesIn(bubbles));
    markKept();
  };
  chart.element.addEventListener('show', fill);
  chart.element.addEventListener('explain', fill);
};

/** What the buttons of the toolbar do. */
const actionsOf = (chart: Chart): Readonly<Record<string, () => void>> => ({
  in: () => chart.zoom.magnify(ZOOM_FACTOR),
  out: () => chart.zoom.magnify(1 / ZOOM_FACTOR),
  whole: () => chart.zoom.showWhole(),
  theme: () => toggleTheme(chart),
});

/** Binds the tools of a timeline's section and the system's colour scheme. */
export const bindControls = (chart: Chart, section: HTMLElement): void => {
  const toolbar = section.querySelector<HTMLElement>('.toolbar')!;
  const saves = toolbar.querySelector<HTMLElement>('.saves')!;
  const actions = actionsOf(chart);
  toolbar.addEventListener('click', ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return;
    const { action, save: trace, format } = target.dataset;
    if (action !== undefined) actions[action]?.();
    if (trace !== undefined) save(chart, chart.traces()[Number(trace)]!, format);
  });
  const colours = toolbar.querySelector<HTMLSelectElement>('select[data-action=colour]')!;
  colours.addEventListener('change', () => chart.change({ colourBy: colours.value as ColourBy }));
  for (const name of ['bubbles', 'critical'] as const) {
    const box = toolbar.querySelector<HTMLInputElement>(`input[data-action=${name}]`)!;
    box.addEventListener('change', () => chart.change({ [name]: box.checked }));
  }
  bindLegends(chart, section.querySelector<HTMLElement>('.legends')!);
  chart.element.addEventListener('show', () => (saves.innerHTML = saveMarkup(chart.traces())));
  darkScheme().addEventListener('change', () => chart.setTheme(currentTheme()));
};
