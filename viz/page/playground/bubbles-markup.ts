import { format } from 'd3';
import { CAUSE_LABELS, IDLE_CAUSES, type IdleCause } from '../../../core/explain/cause.ts';
import { escapeText } from '../../surface/escape.ts';
import type { Explanation } from './messages.ts';

/** A run's name and why its devices wait. */
export interface Explained {
  readonly label: string;
  readonly explanation: Explanation;
}

const percent = format('.1%');

/** Share of all device time that is idle for a reason. */
const shareOf = ({ explanation: { windowNs, devices, total } }: Explained, cause: IdleCause): number => {
  const totalNs = windowNs * devices.length;
  return totalNs > 0 ? total.byCause[cause] / totalNs : 0;
};

const SENTENCES: Readonly<Record<IdleCause, string>> = {
  fillDrain: 'the pipeline fills at the start and drains at the end of the run',
  ownStep: 'an adapter waits until its own step is done, and nothing else is there to do',
  otherStep: "a microbatch stands behind one that waits for another adapter's step",
  unequalLengths: 'microbatches with longer rows hold up shorter ones',
  unequalStages: 'the slowest stage sets the pace for the others',
  communication: 'data is still on its way',
  launches: 'the host cannot start kernels fast enough',
  memoryCap: 'memory for another microbatch is not free yet',
  noWork: 'no job has arrived, or all are done',
  runtime: 'what the plan does not explain',
};

/** The largest cause of a run's idle time as a half-sentence; empty where hardly anything is idle. */
const reasonOf = (run: Explained): string => {
  const [largest] = [...IDLE_CAUSES].sort((a, b) => shareOf(run, b) - shareOf(run, a));
  const share = largest === undefined ? 0 : shareOf(run, largest);
  return largest === undefined || share < 0.001 ? '' : `; ${percent(share)} because ${SENTENCES[largest]}`;
};

const bar = (run: Explained): string => {
  let left = 0;
  const parts = IDLE_CAUSES.map((cause) => {
    const width = 100 * shareOf(run, cause);
    const part = `<rect x="${left.toFixed(2)}" width="${width.toFixed(2)}" height="10" fill="var(--cause-${cause})"/>`;
    left += width;
    return width > 0 ? part : '';
  });
  const label = `${run.label}: idle ${percent(left / 100)}${reasonOf(run)}`;
  return `<figure><figcaption>${escapeText(label)}</figcaption><svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" \
aria-label="${escapeText(label)}"><rect width="100" height="10" fill="var(--main-5)" opacity=".35"/>${parts.join('')}</svg></figure>`;
};

const row = (runs: readonly Explained[], cause: IdleCause): string => `<tr><th scope="row"><span class="swatch" \
data-cause="${cause}"></span>${escapeText(CAUSE_LABELS[cause])}<small>${escapeText(SENTENCES[cause])}</small></th>\
${runs.map((run) => `<td>${percent(shareOf(run, cause))}</td>`).join('')}</tr>`;

/** Idle time of each run as a bar of its causes. */
export const barsMarkup = (runs: readonly Explained[]): string => runs.map(bar).join('');

/** A line for every cause of idle time that the runs have. */
export const causesMarkup = (runs: readonly Explained[]): string => {
  const causes = IDLE_CAUSES.filter((cause) => runs.some((run) => shareOf(run, cause) >= 0.0005));
  if (causes.length === 0) return '<p>No device ever waits.</p>';
  return `<table><thead><tr><th scope="col">cause, share of all device time</th>${runs.map(({ label }) => `<th scope="col">${escapeText(label)}</th>`).join('')}</tr></thead>
<tbody>${causes.map((cause) => row(runs, cause)).join('\n')}</tbody></table>`;
};

/** Colours of the swatches; a style attribute would need a policy of its own for every page that serves this one. */
export const CAUSE_STYLE = IDLE_CAUSES.map((cause) => `.swatch[data-cause=${cause}]{background:var(--cause-${cause})}`).join('\n');
