import { toEmbeddedJson } from './embed.ts';
import { lossSvg } from './loss/loss-svg.ts';
import type { LossSeries, MetricRow, Report } from './report.ts';
import { REPORT_STYLE } from './report-style.ts';
import { escapeText } from './surface/escape.ts';
import { PAGE_THEME } from './theme.ts';
import { quiet, timelineSection } from './timeline-markup.ts';

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

const lossSection = (losses: readonly LossSeries[]): string =>
  losses.length === 0
    ? ''
    : `<section aria-labelledby="losses"><h2 id="losses">Losses</h2>
<p class="quiet">Held-out rows never enter training.</p>
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
${report.traces.length === 0 ? '' : timelineSection(report.traces)}
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
