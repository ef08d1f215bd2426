/** Markup of timelines in a page: legends, tools and the canvases that viz/page draws on. Every name in it is text. */
import type { IdleCause } from '../core/explain/cause.ts';
import { describeDrift, type Drift } from './drift/drift.ts';
import { memoryLegend } from './memory/memory-legend.ts';
import type { LabelledTrace } from './report.ts';
import { escapeText } from './surface/escape.ts';
import { createSvgSurface } from './surface/svg-surface.ts';
import { PAGE_THEME } from './theme.ts';
import { COLOUR_BY, type ColourBy } from './timeline/colour-by.ts';
import { adapterLegend, causeLegend, kindLegend, type LegendItem } from './timeline/legend.ts';

const swatch = ({ drawSwatch }: LegendItem): string => {
  const surface = createSvgSurface();
  drawSwatch(surface, 0, 0);
  return `<svg viewBox="0 0 14 12" aria-hidden="true">${surface.markup()}</svg>`;
};

const legend = (name: string, items: readonly string[]): string =>
  `<ul class="legend" aria-label="${name}">${items.map((item) => `<li>${item}</li>`).join('')}</ul>`;

const plainItem = (item: LegendItem): string => `${swatch(item)}${escapeText(item.label)}`;

const adapterButton = (item: LegendItem, adapter: number): string =>
  `<button type="button" class="adapter" data-adapter="${adapter}" aria-pressed="false">${plainItem(item)}</button>`;

/** A paragraph in small grey print, or nothing. */
export const quiet = (text: string): string => (text === '' ? '' : `<p class="quiet">${escapeText(text)}</p>`);

/** What the colours and shades of the timelines mean. */
export const legendsMarkup = (
  traces: readonly LabelledTrace[],
  colourBy: ColourBy,
  causes: readonly IdleCause[] = [],
): string => {
  const all = traces.map(({ trace }) => trace);
  const [first] = all;
  if (first === undefined) return '';
  const adapters = legend('Adapters', adapterLegend(first.plan.adapters, PAGE_THEME).map(adapterButton));
  const kinds = legend('Kinds of work', kindLegend(all, PAGE_THEME, colourBy).map(plainItem));
  const bubbles = causes.length === 0 ? '' : legend('Causes of bubbles', causeLegend(causes, PAGE_THEME).map(plainItem));
  return `${colourBy === 'adapter' ? adapters : ''}${kinds}${bubbles}`;
};

const canvas = (view: 'timeline' | 'memory', trace: number, label: string): string =>
  `<canvas data-view="${view}" data-trace="${trace}" role="img" aria-label="${escapeText(label)}"></canvas>`;

const timelineFigure = ({ label, subtitle, trace }: LabelledTrace, t: number): string =>
  `<h3>${escapeText(label)}</h3>${quiet(subtitle)}
${canvas('timeline', t, `${label}: ${trace.spans.length} ops on ${trace.devices.length} devices`)}`;

const memoryFigure = ({ label, trace }: LabelledTrace, t: number): string =>
  trace.memory.length === 0
    ? ''
    : `<h4>${escapeText(label)}</h4>${canvas('memory', t, `Memory per device over time, ${label}`)}`;

const memoryFigures = (traces: readonly LabelledTrace[]): string => {
  const items = memoryLegend(
    traces.map(({ trace }) => trace),
    PAGE_THEME,
  );
  if (items.length === 0) return '';
  return `<h3>Memory per device</h3>${legend('Memory classes', items.map(plainItem))}${traces.map(memoryFigure).join('\n')}`;
};

const driftFigure = ([first, second]: readonly LabelledTrace[], drift: Drift | null): string => {
  if (drift === null || first === undefined || second === undefined) return '';
  const title = `${second.label} against ${first.label}, op by op`;
  return `<h3>${escapeText(title)}</h3>${quiet(`Up: the op starts later in ${second.label}, down: earlier. ${describeDrift(drift)}`)}
<canvas data-view="drift" role="img" aria-label="${escapeText(`${title}: ${describeDrift(drift)}`)}"></canvas>`;
};

/** What stands inside the chart element: an axis, the traces under each other, their memory, a line at the pointer. */
export const figuresMarkup = (traces: readonly LabelledTrace[], drift: Drift | null = null): string =>
  `<canvas class="axis" data-view="axis" aria-hidden="true"></canvas>
${traces.map(timelineFigure).join('\n')}
${driftFigure(traces, drift)}
${memoryFigures(traces)}
<div class="cursor"></div>`;

const HELP =
  'Wheel or <kbd>+</kbd> <kbd>−</kbd> zooms, drag or <kbd>←</kbd> <kbd>→</kbd> moves, <kbd>0</kbd> shows the whole run. ' +
  'Point at an op to follow its microbatch through the stages, click to keep it. <kbd>N</kbd> <kbd>P</kbd> walk along a row, ' +
  '<kbd>↑</kbd> <kbd>↓</kbd> between rows, <kbd>Esc</kbd> lets go. ' +
  'Where ops are too narrow to draw, the height of a colour is its share of the time.';

const COLOUR_LABELS: Readonly<Record<ColourBy, string>> = {
  adapter: 'adapter',
  kind: 'kind of op',
  iteration: 'iteration',
};

const colourChoice = `<label>Colours: <select data-action="colour">${COLOUR_BY.map(
  (by) => `<option value="${by}">${COLOUR_LABELS[by]}</option>`,
).join('')}</select></label>`;

const SWITCHES = [
  ['bubbles', 'bubbles by cause', ' checked'],
  ['critical', 'critical path', ''],
].map(([name, label, state]) => `<label><input type="checkbox" data-action="${name}"${state}> ${label}</label>`);

const saveButton = ({ label }: LabelledTrace, t: number): string =>
  ['svg', 'png']
    .map((format) => `<button type="button" data-save="${t}" data-format="${format}">Save ${escapeText(label.toLowerCase())} ${format.toUpperCase()}</button>`)
    .join('\n');

/** Buttons that save each trace's picture. */
export const saveMarkup = (traces: readonly LabelledTrace[]): string => traces.map(saveButton).join('\n');

/**
 * A section with everything around some timelines. viz/page fills the chart in; `traces` may be empty where they come
 * later.
 */
export const timelineSection = (traces: readonly LabelledTrace[]): string =>
  `<section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2>
<div class="toolbar" role="toolbar" aria-label="View">
<button type="button" data-action="in">Zoom in</button><button type="button" data-action="out">Zoom out</button>
<button type="button" data-action="whole">Whole run</button>
${colourChoice}
${SWITCHES.join('\n')}
<span class="saves">${saveMarkup(traces)}</span>
<button type="button" data-action="theme">Light or dark</button></div>
<p class="quiet" id="timeline-help">${HELP}</p>
<div class="legends">${legendsMarkup(traces, 'adapter')}</div>
<canvas class="minimap" role="img" aria-label="The whole run; the frame is what the timeline shows"></canvas>
<div class="chart" tabindex="0" role="application" aria-roledescription="timeline" aria-label="Timeline of ${traces.length === 1 ? 'the run' : 'the runs'}" aria-describedby="timeline-help">
${traces.length === 0 ? '' : figuresMarkup(traces)}</div>
<details class="statistics"><summary>Figures of what is in sight or selected</summary><div class="scroll"></div></details>
<div class="tooltip" role="status"></div>
<noscript><p>The timeline is drawn by a script, and scripts are switched off.</p></noscript></section>`;
