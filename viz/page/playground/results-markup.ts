import { format } from 'd3';
import type { TraceSummary } from '../../../core/trace/summary.ts';
import { formatBytes, formatDuration, NS_PER_S } from '../../../core/units.ts';
import { escapeText } from '../../surface/escape.ts';
import type { Run } from './messages.ts';

const whole = format(',.0f');
const percent = format('.1%');

const fullest = ({ devices }: TraceSummary): TraceSummary['devices'][number] | undefined =>
  [...devices].sort((a, b) => b.peakMemoryBytes - a.peakMemoryBytes)[0];

const memoryText = (summary: TraceSummary): string => {
  const device = fullest(summary);
  if (device === undefined || device.peakMemoryBytes === 0) return '–';
  const capacity = Number.isFinite(device.capacityBytes) ? ` of ${formatBytes(device.capacityBytes)}` : '';
  return formatBytes(device.peakMemoryBytes) + capacity;
};

const METRICS: readonly (readonly [string, (summary: TraceSummary) => string])[] = [
  ['makespan', ({ makespanSeconds }) => formatDuration(makespanSeconds * NS_PER_S)],
  ['tokens/s', ({ tokensPerSecond }) => (tokensPerSecond > 0 ? whole(tokensPerSecond) : '–')],
  ['bubble ratio', ({ bubbleRatio }) => percent(bubbleRatio)],
  ['peak memory, fullest device', memoryText],
  ['ops', ({ opCount }) => whole(opCount)],
];

const metricRow = ({ label, summary }: Run): string =>
  `<tr><th scope="row">${escapeText(label)}</th>${METRICS.map(([, text]) => `<td>${escapeText(text(summary))}</td>`).join('')}</tr>`;

const outOfMemory = ({ label, summary: { outOfMemory: verdict } }: Run): string =>
  verdict === null
    ? ''
    : `<p class="problem">${escapeText(`${label}: out of memory: ${verdict.device} lacks ${formatBytes(verdict.bytes)} for ${verdict.class}`)}</p>`;

/** The figures of one run or of two under each other. */
export const metricsMarkup = (runs: readonly Run[]): string => `<table>
<thead><tr><th scope="col">schedule</th>${METRICS.map(([label]) => `<th scope="col">${label}</th>`).join('')}</tr></thead>
<tbody>${runs.map(metricRow).join('\n')}</tbody></table>${runs.map(outOfMemory).join('')}`;

/** The line under a timeline's title. */
export const subtitleOf = ({ summary }: Run): string =>
  METRICS.slice(0, 3)
    .filter(([, text]) => text(summary) !== '–')
    .map(([label, text]) => (label === 'tokens/s' ? `${text(summary)} ${label}` : `${label} ${text(summary)}`))
    .join(' · ');

/** One sentence that compares the second run with the first. */
export const comparisonText = ([first, second]: readonly Run[]): string => {
  if (first === undefined || second === undefined) return '';
  const speed = second.summary.tokensPerSecond / first.summary.tokensPerSecond;
  if (!Number.isFinite(speed)) return '';
  return `${second.label} trains ${speed.toFixed(2)} times as many tokens a second as ${first.label}: its devices are idle ${percent(second.summary.bubbleRatio)} of the time, those of ${first.label} ${percent(first.summary.bubbleRatio)}.`;
};
