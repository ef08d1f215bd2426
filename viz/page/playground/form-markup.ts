/** The form as markup. Every control names in `data-path` the place in an experiment file that its value goes to. */
import type { Precision } from '../../../core/cluster/cluster.ts';
import { GPU_PRESETS } from '../../../core/cluster/gpus.ts';
import { CLUSTER_PRESETS } from '../../../core/cluster/presets.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { escapeText } from '../../surface/escape.ts';
import { PRESETS } from './presets.ts';
import { formatSetupLink } from './setup-link.ts';
import { CUSTOM, NONE, VARIANTS, type CustomCluster, type JobSetup, type Setup } from './setup.ts';

const PRECISIONS = ['fp32', 'tf32', 'bf16', 'fp16'] as const satisfies readonly Precision[];

interface Control {
  readonly name: string;
  readonly label: string;
  readonly path: string;
  readonly value: string;
}

const problemOf = (name: string): string => `<p class="problem" id="problem-${name}"></p>`;

const described = ({ name, path }: Control): string =>
  `name="${name}" data-path="${path}" aria-describedby="problem-${name}"`;

const wrapped = (control: Control, element: string): string =>
  `<div class="field"><label>${control.label} ${element}</label>${problemOf(control.name)}</div>`;

const optionOf = (chosen: string) => (value: string): string =>
  `<option value="${escapeText(value)}"${value === chosen ? ' selected' : ''}>${escapeText(value)}</option>`;

/** A list of values; one that is not among them, from an address, is shown as what it is. */
const selection = (control: Control, values: readonly string[]): string => {
  const all = values.includes(control.value) ? values : [...values, control.value];
  return wrapped(control, `<select ${described(control)}>${all.map(optionOf(control.value)).join('')}</select>`);
};

const textField = (control: Control, mode: 'numeric' | 'text'): string =>
  wrapped(
    control,
    `<input ${described(control)} value="${escapeText(control.value)}" inputmode="${mode}" autocomplete="off" spellcheck="false">`,
  );

const clusterFields = ({ gpu, machines, devices, link, bandwidth, network }: CustomCluster, hidden: boolean): string =>
  `<fieldset class="custom"${hidden ? ' hidden' : ''}><legend>Cluster of your own</legend>${[
    selection({ name: 'gpu', label: 'GPU', path: 'cluster.machines[0].gpu', value: gpu }, [...GPU_PRESETS.keys()]),
    textField({ name: 'machines', label: 'machines', path: 'cluster.machines', value: machines }, 'numeric'),
    textField({ name: 'devices', label: 'GPUs in each', path: 'cluster.machines[0].count', value: devices }, 'numeric'),
    selection({ name: 'link', label: 'link', path: 'cluster.machines[0].interconnect', value: link }, ['pcie', 'nvlink']),
    textField({ name: 'bandwidth', label: 'bandwidth of a link', path: 'cluster.machines[0].interconnect.bandwidth', value: bandwidth }, 'text'),
    textField({ name: 'network', label: 'network between machines', path: 'cluster.network', value: network }, 'text'),
  ].join('')}</fieldset>`;

interface JobColumn {
  readonly key: keyof JobSetup;
  readonly label: string;
  readonly path: string;
  readonly mode: 'numeric' | 'text';
}

export const JOB_COLUMNS: readonly JobColumn[] = [
  { key: 'name', label: 'name', path: 'name', mode: 'text' },
  { key: 'rank', label: 'rank', path: 'adapter.rank', mode: 'numeric' },
  { key: 'batchSize', label: 'batch size', path: 'batchSize', mode: 'numeric' },
  { key: 'iterations', label: 'iterations', path: 'iterations', mode: 'numeric' },
  { key: 'length', label: 'tokens a row', path: 'data.lengths', mode: 'numeric' },
  { key: 'spread', label: 'spread σ', path: 'data.lengths.sigma', mode: 'numeric' },
  { key: 'arrival', label: 'arrival', path: 'arrival', mode: 'text' },
];

const jobCell = (job: JobSetup, index: number, { key, label, path, mode }: JobColumn): string =>
  `<td><input data-job="${index}" data-key="${key}" data-path="jobs[${index}].${path}" aria-label="${label} of job ${index + 1}" \
aria-describedby="problem-job-${index}" value="${escapeText(job[key])}" inputmode="${mode}" autocomplete="off" spellcheck="false"></td>`;

const jobRow = (job: JobSetup, index: number): string => `<tr>${JOB_COLUMNS.map((column) => jobCell(job, index, column)).join('')}
<td><button type="button" data-remove="${index}" aria-label="Remove job ${index + 1}">×</button></td></tr>
<tr class="problems"><td colspan="${JOB_COLUMNS.length + 1}"><p class="problem" id="problem-job-${index}"></p></td></tr>`;

/** Rows of the table of jobs. */
export const jobRows = (jobs: readonly JobSetup[]): string => jobs.map(jobRow).join('\n');

const jobsTable = (jobs: readonly JobSetup[]): string => `<fieldset class="jobs"><legend>Jobs: one adapter each</legend>
<div class="scroll" tabindex="0" role="group" aria-label="Table of jobs"><table><thead><tr>${JOB_COLUMNS.map(({ label }) => `<th scope="col">${label}</th>`).join('')}<td></td></tr></thead>
<tbody>${jobRows(jobs)}</tbody></table></div>
<button type="button" data-add>Add a job</button></fieldset>`;

const presetChoice = (setup: Setup): string => {
  const chosen = PRESETS.findIndex((preset) => formatSetupLink(preset.setup) === formatSetupLink(setup));
  const options = PRESETS.map(({ name }, index) => `<option value="${index}"${index === chosen ? ' selected' : ''}>${escapeText(name)}</option>`);
  return `<div class="field"><label>Example <select data-preset><option value="">your own</option>${options.join('')}</select></label></div>`;
};

/** The whole form with the values of a setup. */
export const formMarkup = (setup: Setup): string => {
  const variants = [...VARIANTS.keys()];
  const { model, precision, cluster, microbatches, first, second } = setup;
  return `${presetChoice(setup)}
<div class="fields">
${selection({ name: 'model', label: 'Model', path: 'model', value: model }, [...MODEL_PRESETS.keys()])}
${selection({ name: 'precision', label: 'Precision', path: 'precision', value: precision }, PRECISIONS)}
${selection({ name: 'cluster', label: 'Cluster', path: 'cluster', value: cluster }, [...CLUSTER_PRESETS.keys(), CUSTOM])}
${textField({ name: 'microbatches', label: 'Microbatches', path: 'schedule.microbatches', value: microbatches }, 'numeric')}
${selection({ name: 'first', label: 'Schedule', path: 'schedule', value: first }, variants)}
${selection({ name: 'second', label: 'Compare with', path: 'schedule', value: second }, [NONE, ...variants])}
</div>
${clusterFields(setup.custom, cluster !== CUSTOM)}
${jobsTable(setup.jobs)}
<p class="problem" id="problem-other" role="alert"></p>`;
};
