import { toEmbeddedJson } from './embed.ts';
import { lossSvg } from './loss/loss-svg.ts';
import { memoryLegend } from './memory/memory-legend.ts';
import type { LabelledTrace, LossSeries, MetricRow, Report } from './report.ts';
import { REPORT_STYLE } from './report-style.ts';
import { escapeText } from './surface/escape.ts';
import { createSvgSurface } from './surface/svg-surface.ts';
import { PAGE_THEME } from './theme.ts';
import { adapterLegend, shadeLegend, type LegendItem } from './timeline/legend.ts';

const quiet = (text: string): string => (text === '' ? '' : `<p class="quiet">${escapeText(text)}</p>`);

const cells = (row: MetricRow, columns: readonly ('simulated' | 'measured')[]): string =>
  columns.map((column) => `<td>${escapeText(row[column] ?? '–')}</td>`).join('');

const metricsSection = (rows: readonly MetricRow[]): string => {
  const columns = (['simulated', 'measured'] as const).filter((column) => rows.some((row) => row[column] !== null));
  if (rows.length === 0 || columns.length === 0) return '';
  const body = rows.map((row) => `<tr><th scope="row">${escapeText(row.label)}</th>${cells(row, columns)}</tr>`);
  return `<section aria-labelledby="metrics"><h2 id="metrics">Summary</h2><table>
<thead><tr><th scope="col">metric</th>${columns.map((column) => `<th scope="col">${column}</th>`).join('')}</tr></thead>
<tbody>${body.join('\n')}</tbody></table></section>`;
};

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

const HELP =
  'Wheel or <kbd>+</kbd> <kbd>−</kbd> zooms, drag or <kbd>←</kbd> <kbd>→</kbd> moves, <kbd>0</kbd> shows the whole run. ' +
  'Point at an op to follow its microbatch through the stages, click to keep it. <kbd>N</kbd> <kbd>P</kbd> walk along a row, ' +
  '<kbd>↑</kbd> <kbd>↓</kbd> between rows, <kbd>Esc</kbd> lets go. ' +
  'Where ops are too narrow to draw, the height of a colour is its share of the time.';

const toolbar = (traces: readonly LabelledTrace[]): string => `<div class="toolbar" role="toolbar" aria-label="View">
<button type="button" data-action="in">Zoom in</button><button type="button" data-action="out">Zoom out</button>
<button type="button" data-action="whole">Whole run</button>
${traces.map(({ label }, t) => `<button type="button" data-save="${t}">Save ${escapeText(label.toLowerCase())} SVG</button>`).join('\n')}
<button type="button" data-action="theme">Light or dark</button></div>`;

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

const timelineSection = (traces: readonly LabelledTrace[]): string => {
  if (traces.length === 0) return '';
  const all = traces.map(({ trace }) => trace);
  return `<section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2>
${toolbar(traces)}
<p class="quiet" id="timeline-help">${HELP}</p>
${legend('Adapters', adapterLegend(all[0]!.plan.adapters, PAGE_THEME).map(adapterButton))}
${legend('Kinds of work', shadeLegend(all, PAGE_THEME).map(plainItem))}
<div class="chart" tabindex="0" role="application" aria-roledescription="timeline" aria-label="Timeline of ${traces.length === 1 ? 'the run' : 'the runs'}" aria-describedby="timeline-help">
<canvas class="axis" data-view="axis" aria-hidden="true"></canvas>
${traces.map(timelineFigure).join('\n')}
${memoryFigures(traces)}
<div class="cursor"></div></div>
<div class="tooltip" role="status"></div>
<noscript><p>The timeline is drawn by a script, and scripts are switched off.</p></noscript></section>`;
};

const lossSection = (losses: readonly LossSeries[]): string =>
  losses.length === 0
    ? ''
    : `<section aria-labelledby="losses"><h2 id="losses">Losses</h2>
<p class="quiet">Pale line: training rows. Strong line with dots: held-out rows, which never enter training.</p>
<div class="losses">${losses.map((series, a) => `<figure>${lossSvg(series, a, PAGE_THEME)}</figure>`).join('\n')}</div></section>`;

const settingsSection = (settings: string): string =>
  settings === ''
    ? ''
    : `<details><summary>Settings</summary><pre tabindex="0">${escapeText(settings)}</pre></details>`;

/** Nothing may be fetched: the page shows what it carries. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:";

/**
 * A report as one self-contained page that works offline from disk. `clientScript` is the bundled text of
 * viz/page, which draws the timelines and answers mouse and keyboard.
 */
export const reportHtml = (report: Report, clientScript: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${escapeText(report.title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><h1>${escapeText(report.title)}</h1>${quiet(report.subtitle)}</header>
<main id="content">
${metricsSection(report.metrics)}
${timelineSection(report.traces)}
${lossSection(report.losses)}
${settingsSection(report.settings)}
</main>
<footer><p class="quiet">Made by mlora. This page needs no network.</p></footer>
${
  report.traces.length === 0
    ? ''
    : `<script type="application/json" id="traces">${toEmbeddedJson(report.traces)}</script>
<script>${clientScript.replace(/<\/(script)/gi, '<\\/$1')}</script>`
}
</body>
</html>
`;
