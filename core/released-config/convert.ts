/**
 * Configurations of the code released with the mLoRA paper (github.com/TUDB-Labs/mLoRA, mlora/config) as experiments:
 * `dispatcher`, `datasets`, `adapters` and `tasks`, of which a task of type `train` is a job here.
 */
import { MODULE_NAMES } from '../model/model.ts';
import { isRecord } from '../structure.ts';
import { show } from '../problem.ts';
import { convertTemplate, type TwoPartTemplate } from './template.ts';

type Written = Readonly<Record<string, unknown>>;

/** What the released code is told beside its configuration. */
export interface ConversionOptions {
  readonly name: string;
  readonly model: string;
  readonly cluster: string;
  /** A parsed prompt file by the path that a dataset writes; null: it cannot be read. */
  readonly promptFile: (path: string) => unknown;
  /** A path of the configuration as the experiment file has to write it. */
  readonly relocate: (path: string) => string;
}

export interface Conversion {
  /** The experiment as its file has it; null where no task can be a job. */
  readonly experiment: object | null;
  /** Keys with what has become of them, e.g. `tasks[0].batch_size 64 → jobs[0].batchSize`. */
  readonly mapped: readonly string[];
  /** Keys that have no place here, and why. */
  readonly unmapped: readonly string[];
}

/** Takes keys out of a mapping one by one; what is left in the end was not understood. */
const createTaker = (value: Written, path: string, notes: { readonly mapped: string[]; readonly unmapped: string[] }) => {
  const left = new Set(Object.keys(value));
  return {
    /** A key that goes to `target`. */
    take: (key: string, target: string): unknown => {
      left.delete(key);
      if (value[key] !== undefined) notes.mapped.push(`${path}.${key} ${show(value[key])} → ${target}`);
      return value[key];
    },
    /** A key that says how others are meant. */
    use: (key: string): unknown => {
      left.delete(key);
      return value[key];
    },
    drop: (key: string, why: string): void => {
      if (left.delete(key)) notes.unmapped.push(`${path}.${key} ${show(value[key])}: ${why}`);
    },
    end: (): void => {
      for (const key of left) notes.unmapped.push(`${path}.${key} ${show(value[key])}: is not known here`);
    },
  };
};

const recordsOf = (value: unknown): readonly Written[] => (Array.isArray(value) ? value.filter(isRecord) : []);

const numberOf = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
};

/** Only what is said. */
const said = (values: Written): Written => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

const jobName = (name: unknown, index: number): string => {
  const text = (typeof name === 'string' || typeof name === 'number' ? String(name) : `task-${index}`).replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return text === '' ? `task-${index}` : text;
};

/** Types that are LoRA with other settings here. */
const TYPES: ReadonlyMap<unknown, string> = new Map([['lora', 'lora'], ['loraplus', 'lora'], ['dora', 'dora'], ['vera', 'vera']]);

export const convertReleasedConfig = (file: Written, options: ConversionOptions): Conversion => {
  const notes = { mapped: [] as string[], unmapped: [] as string[] };
  const adapters = recordsOf(file.adapters);
  const datasets = recordsOf(file.datasets);
  const pieces: number[] = [];
  const savings: number[] = [];

  const convertModules = (written: unknown, path: string): string[] => {
    const chosen = isRecord(written) ? Object.entries(written).filter(([, isOn]) => isOn === true).map(([name]) => name) : [];
    const foreign = chosen.filter((name) => !MODULE_NAMES.some((known) => known === name));
    if (foreign.length > 0) notes.unmapped.push(`${path}.target_modules ${foreign.join(', ')}: modules of other architectures; known are ${MODULE_NAMES.join(', ')}`);
    return chosen.filter((name) => !foreign.includes(name));
  };

  const convertAdapter = (index: number, at: string): Written | null => {
    const path = `adapters[${index}]`;
    const keys = createTaker(adapters[index]!, path, notes);
    keys.use('name');
    const type = keys.take('type', `${at}.adapter.type`);
    if (!TYPES.has(type)) return null;
    keys.use('target_modules');
    keys.drop('path', `adapters are written to adapters/${at.startsWith('jobs') ? 'NAME' : ''} below --out, or downloaded from a server`);
    const isVera = type === 'vera';
    if (isVera) keys.drop('alpha', 'VeRA has no such scale here, as in PEFT; initialScale is what scales it');
    const adapter = said({
      type: TYPES.get(type),
      rank: numberOf(keys.take('r', `${at}.adapter.rank`)),
      alpha: isVera ? undefined : numberOf(keys.take('alpha', `${at}.adapter.alpha`)),
      dropout: numberOf(keys.take('dropout', `${at}.adapter.dropout`)),
      initialScale: isVera ? numberOf(keys.take('d_initial', `${at}.adapter.initialScale`)) : undefined,
      targetModules: convertModules(adapters[index]!.target_modules, path),
    });
    notes.mapped.push(`${path}.target_modules → ${at}.adapter.targetModules`);
    const optimizer = convertOptimizer(keys, type, at);
    keys.end();
    return { adapter, optimizer };
  };

  const convertOptimizer = (keys: ReturnType<typeof createTaker>, type: unknown, at: string): Written => {
    const name = keys.take('optimizer', `${at}.optimizer.type`);
    const scheduler = keys.take('lrscheduler', `${at}.optimizer.schedule`);
    keys.drop('t_max', "a cosine falls to 0 at the job's last step here");
    keys.drop('eta_min', 'a cosine falls to 0 here');
    return said({
      type: name,
      learningRate: numberOf(keys.take('lr', `${at}.optimizer.learningRate`)),
      learningRateRatio: type === 'loraplus' ? numberOf(keys.take('lr_ratio', `${at}.optimizer.learningRateRatio`)) : undefined,
      momentum: name === 'sgd' ? numberOf(keys.take('momentum', `${at}.optimizer.momentum`)) : undefined,
      schedule: scheduler === 'cosine' ? { type: 'cosine' } : undefined,
    });
  };

  const readTemplate = (prompt: unknown, path: string, at: string): TwoPartTemplate | null => {
    const template = typeof prompt === 'string' ? convertTemplate(options.promptFile(prompt)) : null;
    if (template === null) notes.unmapped.push(`${path}.prompt ${show(prompt)}: cannot be read, or is no prompt file; write ${at}.prompt and completion yourself`);
    else notes.mapped.push(`${path}.prompt ${show(prompt)} → ${at}.prompt and completion`);
    for (const note of template?.notes ?? []) notes.unmapped.push(`${path}.prompt ${show(prompt)}: ${note}`);
    return template;
  };

  const convertDataset = (index: number, at: string): Written | null => {
    const path = `datasets[${index}]`;
    const keys = createTaker(datasets[index]!, path, notes);
    keys.use('name');
    const kind = keys.use('prompt_type');
    if (kind !== undefined && kind !== 'instruction') {
      notes.unmapped.push(`${path}.prompt_type ${show(kind)}: only instructions have a place here`);
      return null;
    }
    const train = keys.take('data', `${at}.data.train`);
    const template = readTemplate(keys.use('prompt'), path, `${at}.data`);
    const order = keys.use('preprocess');
    if (order === 'shuffle') notes.mapped.push(`${path}.preprocess "shuffle" → ${at}.data.order; here each epoch is shuffled anew`);
    else if (order !== undefined) notes.unmapped.push(`${path}.preprocess ${show(order)}: rows are shuffled here, or taken longest first`);
    keys.end();
    if (typeof train !== 'string') return null;
    // The released code trains on the whole text. Without a template the reader asks for one: nothing trains on a guess.
    return { train: options.relocate(train), ...said({ prompt: template?.prompt, completion: template?.completion }), loss: 'all', order: 'shuffled' };
  };

  const findNamed = (list: readonly Written[], name: unknown, what: string, path: string): number => {
    const index = list.findIndex((each) => each.name === name);
    if (index < 0) notes.unmapped.push(`${path}: the whole task, because there is no ${what} of the name ${show(name)}`);
    return index;
  };

  const convertTask = (task: Written, index: number): Written | null => {
    const path = `tasks[${index}]`;
    if (task.type !== 'train') {
      notes.unmapped.push(`${path} of type ${show(task.type)}: the whole task; only type "train" has a place here`);
      return null;
    }
    const [adapterIndex, datasetIndex] = [findNamed(adapters, task.adapter, 'adapter', path), findNamed(datasets, task.dataset, 'dataset', path)];
    if (adapterIndex < 0 || datasetIndex < 0) return null;
    const at = `jobs[${jobCount}]`;
    const keys = createTaker(task, path, notes);
    for (const key of ['type', 'adapter', 'dataset']) keys.use(key);
    const name = jobName(keys.take('name', `${at}.name`) ?? task.adapter, index);
    const batchSize = numberOf(keys.take('batch_size', `${at}.batchSize`));
    const piece = numberOf(keys.take('mini_batch_size', 'schedule.microbatches, pieces of a mini-batch'));
    const each = batchSize !== undefined && piece !== undefined ? Math.max(1, Math.round(batchSize / piece)) : 1;
    const saving = numberOf(keys.take('save_step', 'checkpoint.every, in optimizer steps'));
    const epochs = numberOf(keys.take('num_epochs', `${at}.epochs`));
    const length = numberOf(keys.take('cutoff_len', `${at}.data.maximumLength`));
    keys.end();
    const adapter = convertAdapter(adapterIndex, at);
    const data = convertDataset(datasetIndex, at);
    if (adapter === null || data === null) {
      notes.unmapped.push(`${path}: the whole task, because its ${adapter === null ? 'adapter' : 'dataset'} has no place here`);
      return null;
    }
    jobCount += 1;
    pieces.push(each);
    if (saving !== undefined) savings.push(Math.max(1, Math.round(saving / each)));
    return { name, ...adapter, data: { ...data, ...said({ maximumLength: length }) }, ...said({ batchSize, epochs }) };
  };

  let jobCount = 0;
  if (isRecord(file.dispatcher)) {
    const keys = createTaker(file.dispatcher, 'dispatcher', notes);
    keys.drop('concurrency_num', 'an experiment trains all its jobs at once; a server takes it as mlora serve --slots');
    keys.drop('name', 'which job runs first is chosen with mlora serve --policy');
    keys.end();
  }
  const jobs = recordsOf(file.tasks).map(convertTask).filter((job) => job !== null);
  for (const key of Object.keys(file)) if (!['dispatcher', 'datasets', 'adapters', 'tasks'].includes(key)) notes.unmapped.push(`${key} ${show(file[key])}: is not known here`);
  const unlike = new Set(pieces).size > 1;
  if (unlike) notes.unmapped.push(`tasks: mini_batch_size cuts mini-batches into ${[...new Set(pieces)].join(' or ')} pieces; all jobs of an experiment have as many, ${Math.max(...pieces)}`);
  return { experiment: jobs.length === 0 ? null : experimentOf(jobs, options, { pieces, savings }), mapped: unique(notes.mapped), unmapped: unique(notes.unmapped) };
};

const unique = (lines: readonly string[]): string[] => [...new Set(lines)];

/** Names become folders; two tasks may have one in the released code. */
const withOwnNames = (jobs: readonly Written[]): readonly Written[] =>
  jobs.map((job, index) => {
    const isTaken = jobs.slice(0, index).some(({ name }) => String(name).toLowerCase() === String(job.name).toLowerCase());
    return isTaken ? { ...job, name: `${String(job.name).slice(0, 58)}-${index}` } : job;
  });

const experimentOf = (
  jobs: readonly Written[],
  { name, model, cluster }: ConversionOptions,
  { pieces, savings }: { readonly pieces: readonly number[]; readonly savings: readonly number[] },
): object => ({
  name,
  model,
  cluster,
  schedule: { type: 'lorapp', microbatches: Math.max(...pieces) },
  ...(savings.length === 0 ? {} : { checkpoint: { every: Math.min(...savings) } }),
  jobs: withOwnNames(jobs),
});
