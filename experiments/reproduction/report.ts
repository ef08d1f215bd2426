/** The reproduction as one self-contained page: every figure with our values and the paper's, and what they rest on. */
import { escapeText } from '../../viz/surface/escape.ts';
import { REPORT_STYLE } from '../../viz/report-style.ts';
import { completionClaims } from './claims.ts';
import type { EvaluatedFigure, EvaluatedPanel, EvaluatedPoint } from './evaluate.ts';
import { figureSvg } from './figure-svg.ts';
import { claimCells, claimsInWords, summaryCells, type Cells } from './summary.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

const row = (cells: readonly string[], tag: 'td' | 'th'): string =>
  `<tr>${cells.map((cell, index) => (index === 0 ? `<th scope="row">${escapeText(cell)}</th>` : `<${tag}>${escapeText(cell)}</${tag}>`)).join('')}</tr>`;

const table = ([header, ...rows]: Cells): string =>
  `<table><thead>${row(header!, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table>`;

const list = (title: string, items: readonly string[]): string =>
  items.length === 0 ? '' : `<h4>${title}</h4><ul class="quiet">${items.map((item) => `<li>${escapeText(item)}</li>`).join('')}</ul>`;

const number = (value: number): string => String(Number(value.toPrecision(5)));

const oursOf = ({ ours }: EvaluatedPoint): string => (ours.kind === 'value' ? number(ours.value) : `OOM: ${ours.where}`);
const paperOf = ({ paper }: EvaluatedPoint): string => (paper === null ? '–' : typeof paper === 'number' ? number(paper) : paper);
const errorOf = ({ error }: EvaluatedPoint): string => (error === null ? '' : `${error > 0 ? '+' : ''}${(100 * error).toFixed(1)} %`);

/** Curves of training have a point for every iteration, which the drawing and the CSV show better than a table. */
const MOST_ROWS = 60;

const pointRows = ({ panel, series }: EvaluatedPanel): string[][] =>
  series.flatMap(({ series: { name }, points }) =>
    points.length > MOST_ROWS ? [] : points.map((point) => [`${panel.title}, ${name}`, String(point.x), paperOf(point), oursOf(point), errorOf(point)]),
  );

const section = (evaluated: EvaluatedFigure): string => {
  const { figure, paper, panels } = evaluated;
  const rows = panels.flatMap(pointRows);
  return `<section aria-labelledby="figure-${figure.number}"><h2 id="figure-${figure.number}">Figure ${figure.number}: ${escapeText(figure.title)}</h2>
<p>${escapeText(figure.question)}</p>
<div class="figure">${figureSvg(evaluated)}</div>
${table(summaryCells([evaluated]).map((cells) => cells.slice(1)))}
${list('Fitted', figure.fitted)}
${list('What the paper leaves open', [...figure.leftOpen, ...paper.notes])}
<details><summary>Every point</summary>${table([['panel and series', 'at', 'paper', 'ours', 'error'], ...rows])}</details></section>`;
};

const claimsSection = (figures: readonly EvaluatedFigure[]): string => {
  const claims = completionClaims(figures);
  return claims.length === 0
    ? ''
    : `<section aria-labelledby="claims"><h2 id="claims">Completion time at the most adapters (section 4)</h2><p>${claimsInWords(claims)}</p>${table(claimCells(claims))}</section>`;
};

const contents = (figures: readonly EvaluatedFigure[]): string =>
  `<nav aria-label="Figures"><ul class="legend">${figures
    .map(({ figure }) => `<li><a href="#figure-${figure.number}">Figure ${figure.number}: ${escapeText(figure.title)}</a></li>`)
    .join('')}</ul></nav>`;

const STYLE = `.figure{overflow-x:auto}.figure svg{max-width:100%;height:auto;min-width:720px}details summary{font-size:15px;margin:12px 0}td:nth-child(2),thead th:nth-child(2){text-align:left}a{color:inherit}ul.quiet{margin:4px 0 0;padding-left:18px}`;

export const reproductionPage = (figures: readonly EvaluatedFigure[]): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}"><link rel="icon" href="data:,">
<title>mLoRA’s evaluation, reproduced</title><style>${REPORT_STYLE}${STYLE}</style></head>
<body><header><h1>mLoRA’s evaluation, reproduced</h1>
<p class="quiet">arXiv 2312.02515, Figures 7 to 16. Curves and bars are ours: planned and simulated, or trained where it says so. Hollow points and lines across bars are the paper’s.</p></header>
<main>${contents(figures)}
${claimsSection(figures)}
${figures.map(section).join('\n')}</main>
<footer><p class="quiet">Made by mlora. This page needs no network.</p></footer></body></html>
`;
