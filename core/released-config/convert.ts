/**
 * Configurations of the code released with the mLoRA paper (github.com/TUDB-Labs/mLoRA, mlora/config) as experiments:
 * `dispatcher`, `datasets`, `adapters` and `tasks`, of which a task of type `train` is a job here.
 */
import { show } from '../problem.ts';
import { isRecord } from '../structure.ts';
import { convertAdapter } from './convert-adapter.ts';
import { convertDataset, type DatasetOptions } from './convert-dataset.ts';
import { createTaker, numberOf, recordsOf, said, type Notes, type Written } from './written-keys.ts';

/** What the released code is told beside its configuration. */
export interface ConversionOptions extends DatasetOptions {
  readonly name: string;
  readonly model: string;
  readonly cluster: string;
}

export interface Conversion {
  /** The experiment as its file has it; null where no task can be a job. */
  readonly experiment: object | null;
  /** Keys with what has become of them, e.g. `tasks[0].batch_size 64 → jobs[0].batchSize`. */
  readonly mapped: readonly string[];
  /** Keys that have no place here, and why. */
  readonly unmapped: readonly string[];
}

const jobName = (name: unknown, index: number): string => {
  const text = (typeof name === 'string' || typeof name === 'number' ? String(name) : `task-${index}`).replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return text === '' ? `task-${index}` : text;
};

/** A task as a job, and what it says of the whole experiment. */
interface ConvertedTask {
  readonly job: Written;
  /** Pieces of each mini-batch. */
  readonly pieces: number;
  /** Optimizer steps between checkpoints, where the task says them. */
  readonly saving: number | undefined;
}

const KNOWN = ['dispatcher', 'datasets', 'adapters', 'tasks'];

const noteDispatcher = (dispatcher: unknown, notes: Notes): void => {
  if (!isRecord(dispatcher)) return;
  const keys = createTaker(dispatcher, 'dispatcher', notes);
  keys.drop('concurrency_num', 'an experiment trains all its jobs at once; a server takes it as mlora serve --slots');
  keys.drop('name', 'which job runs first is chosen with mlora serve --policy');
  keys.end();
};

const createTaskConverter = (file: Written, options: ConversionOptions, notes: Notes) => {
  const lists = { adapters: recordsOf(file.adapters), datasets: recordsOf(file.datasets) };

  const find = (kind: keyof typeof lists, name: unknown, path: string): { readonly written: Written; readonly path: string } | null => {
    const index = lists[kind].findIndex((each) => each.name === name);
    if (index >= 0) return { written: lists[kind][index]!, path: `${kind}[${index}]` };
    notes.unmapped.push(`${path}: the whole task, because there is no ${kind.slice(0, -1)} of the name ${show(name)}`);
    return null;
  };

  /** The task at `path` as the job at `at`; null: it cannot be one. */
  return (task: Written, index: number, at: string): ConvertedTask | null => {
    const path = `tasks[${index}]`;
    if (task.type !== 'train') {
      notes.unmapped.push(`${path} of type ${show(task.type)}: the whole task; only type "train" has a place here`);
      return null;
    }
    const [adapterAt, datasetAt] = [find('adapters', task.adapter, path), find('datasets', task.dataset, path)];
    if (adapterAt === null || datasetAt === null) return null;
    const keys = createTaker(task, path, notes);
    for (const key of ['type', 'adapter', 'dataset']) keys.use(key);
    const name = jobName(keys.take('name', `${at}.name`) ?? task.adapter, index);
    const batchSize = numberOf(keys.take('batch_size', `${at}.batchSize`));
    const piece = numberOf(keys.take('mini_batch_size', 'schedule.microbatches, pieces of a mini-batch'));
    const pieces = batchSize !== undefined && piece !== undefined ? Math.max(1, Math.round(batchSize / piece)) : 1;
    const saving = numberOf(keys.take('save_step', 'checkpoint.every, in optimizer steps'));
    const epochs = numberOf(keys.take('num_epochs', `${at}.epochs`));
    const maximumLength = numberOf(keys.take('cutoff_len', `${at}.data.maximumLength`));
    keys.end();
    const adapter = convertAdapter(adapterAt.written, adapterAt.path, at, notes);
    const data = convertDataset(datasetAt.written, datasetAt.path, at, options, notes);
    if (adapter === null || data === null) {
      notes.unmapped.push(`${path}: the whole task, because its ${adapter === null ? 'adapter' : 'dataset'} has no place here`);
      return null;
    }
    const job = { name, ...adapter, data: { ...data, ...said({ maximumLength }) }, ...said({ batchSize, epochs }) };
    return { job, pieces, saving: saving === undefined ? undefined : Math.max(1, Math.round(saving / pieces)) };
  };
};

export const convertReleasedConfig = (file: Written, options: ConversionOptions): Conversion => {
  const notes: Notes = { mapped: [], unmapped: [] };
  noteDispatcher(file.dispatcher, notes);
  const convertTask = createTaskConverter(file, options, notes);
  const tasks: ConvertedTask[] = [];
  for (const [index, task] of recordsOf(file.tasks).entries()) {
    const converted = convertTask(task, index, `jobs[${tasks.length}]`);
    if (converted !== null) tasks.push(converted);
  }
  for (const key of Object.keys(file)) if (!KNOWN.includes(key)) notes.unmapped.push(`${key} ${show(file[key])}: is not known here`);
  const pieces = unique(tasks.map((task) => task.pieces));
  if (pieces.length > 1) notes.unmapped.push(`tasks: mini_batch_size cuts mini-batches into ${pieces.join(' or ')} pieces; all jobs of an experiment have as many, ${Math.max(...pieces)}`);
  return { experiment: tasks.length === 0 ? null : experimentOf(tasks, options), mapped: unique(notes.mapped), unmapped: unique(notes.unmapped) };
};

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Names become folders; two tasks may have one in the released code. */
const withOwnNames = (jobs: readonly Written[]): readonly Written[] =>
  jobs.map((job, index) => {
    const isTaken = jobs.slice(0, index).some(({ name }) => String(name).toLowerCase() === String(job.name).toLowerCase());
    return isTaken ? { ...job, name: `${String(job.name).slice(0, 58)}-${index}` } : job;
  });

const experimentOf = (tasks: readonly ConvertedTask[], { name, model, cluster }: ConversionOptions): object => {
  const savings = tasks.flatMap(({ saving }) => saving ?? []);
  return {
    name,
    model,
    cluster,
    schedule: { type: 'lorapp', microbatches: Math.max(...tasks.map(({ pieces }) => pieces)) },
    ...(savings.length === 0 ? {} : { checkpoint: { every: Math.min(...savings) } }),
    jobs: withOwnNames(tasks.map(({ job }) => job)),
  };
};
