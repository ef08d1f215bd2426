import { formatDuration } from '../../core/units.ts';
import { escapeText } from '../surface/escape.ts';
import { formatMoment } from '../timeline/moment.ts';
import { TITLES } from '../timeline/describe-span.ts';
import { statisticsOf, type KindStatistics } from '../timeline/statistics.ts';
import type { Chart } from './chart.ts';

/** Milliseconds after the last change until the figures are counted anew. */
const CALM_MS = 200;

const kindRow = (label: string, { count, totalNs, shortestNs, longestNs }: KindStatistics): string => {
  const times = [totalNs, totalNs / count, shortestNs, longestNs].map((ns) => `<td>${formatDuration(ns)}</td>`);
  return `<tr><th scope="row">${escapeText(label)}</th><td>${count}</td>${times.join('')}</tr>`;
};

const tableOf = (chart: Chart): string => {
  const window = chart.zoom.window();
  const several = chart.views().length > 1;
  const rows = chart.views().flatMap(({ marks }, v) => {
    const label = several ? `${chart.traces()[v]!.label}: ` : '';
    return statisticsOf(chart.chosen(v) ?? marks, window).map((each) => kindRow(`${label}${marks.trace.kernels === undefined ? TITLES[each.kind] : 'kernel'}`, each));
  });
  const what = chart.chosen(0) === null ? 'All ops' : 'Selected ops';
  const [from, to] = [window.startNs, window.endNs].map((ns) => formatMoment(Math.round(ns)));
  return `<table><caption>${what} from ${from} to ${to}</caption><thead><tr><th scope="col">kind</th><th scope="col">ops</th>
<th scope="col">total in sight</th><th scope="col">mean in sight</th><th scope="col">shortest</th><th scope="col">longest</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`;
};

/** Counts what is in sight or selected, once the reader has come to rest; only while the table is open. */
export const bindStatistics = (chart: Chart, details: HTMLDetailsElement): void => {
  const place = details.querySelector<HTMLElement>('div')!;
  let calm = 0;
  const ask = (): void => {
    clearTimeout(calm);
    if (details.open) calm = window.setTimeout(() => (place.innerHTML = tableOf(chart)), CALM_MS);
  };
  details.addEventListener('toggle', ask);
  chart.element.addEventListener('draw', ask);
};
