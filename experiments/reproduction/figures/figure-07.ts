import type { Figure, Panel, Series } from '../figure.ts';
import type { PaperModel, PaperRun, PaperSystem } from '../paper-run.ts';
import { completionHours } from './simulated.ts';
import { FITTED, LEFT_OPEN } from './settled.ts';

type Machines = Pick<PaperRun, 'model' | 'gpu' | 'gpus'>;

const PIPELINES: readonly (readonly [string, PaperSystem])[] = [
  ['1F1B', '1f1b'],
  ['FSDP', 'fsdp'],
  ['TP', 'tensorParallel'],
  ['mLoRA', 'lorapp'],
];
const ONE_GPU: readonly (readonly [string, PaperSystem])[] = [
  ['PEFT', 'peft'],
  ['mLoRA', 'batchLora'],
];

const SETTINGS = {
  fp32: 'fp32',
  '70B': 'int8 weights where a system has them, recomputation',
  oneGpu: 'int8 weights, recomputation',
} as const;

const hours = (run: Omit<PaperRun, 'adapters'>): Series['point'] => (adapters) => completionHours({ ...run, adapters: Number(adapters) });

const panel = (id: string, machines: Machines, most: number, series: readonly Series[]): Panel => ({
  id,
  title: `(${id}) ${machines.model}, ${machines.gpus} × ${machines.gpu}`,
  setting: SETTINGS[machines.gpus === 1 ? 'oneGpu' : machines.model === '70B' ? '70B' : 'fp32'],
  // Two or three positions are no curve; bars say OOM where there is nothing to draw, as the paper does.
  layout: most > FEW || most === 1 || machines.gpu === '3090' ? 'lines' : 'bars',
  x: { label: 'adapters', unit: null },
  // On eight machines tensor parallelism takes twenty times as long as a pipeline.
  y: { label: 'completion time', unit: 'h', ...(machines.gpu === '3090' ? { scale: 'log' as const } : {}) },
  series,
});

const FEW = 3;

const seriesOf = (systems: readonly (readonly [string, PaperSystem])[], machines: Machines): Series[] =>
  systems.map(([name, system]) => ({ name, paper: name, point: hours({ ...machines, system }) }));

/** mLoRA in settings that the paper has no curves of: its own are of the released code. */
const variant = (name: string, change: Partial<PaperRun>, machines: Machines, most: number): Series => ({
  name: `mLoRA, ${name}`,
  paper: null,
  at: Array.from({ length: most }, (_, index) => index + 1),
  point: hours({ ...machines, system: 'lorapp', ...change }),
});

const fourGpus = (id: string, model: PaperModel, most: number): Panel => {
  const machines: Machines = { model, gpu: 'A6000', gpus: 4 };
  return panel(id, machines, most, seriesOf(PIPELINES, machines));
};

const eightMachines = (id: string, model: PaperModel, most: number): Panel => {
  const machines: Machines = { model, gpu: '3090', gpus: 8 };
  return panel(id, machines, most, [
    ...seriesOf(PIPELINES, machines),
    variant('1 microbatch', { microbatches: 1 }, machines, most),
    variant('8 microbatches', { microbatches: 8 }, machines, most),
    variant('loss on the last GPU', { loss: 'tail' }, machines, most),
  ]);
};

const oneGpu = (id: string, model: PaperModel, most: number): Panel => {
  const machines: Machines = { model, gpu: 'A6000', gpus: 1 };
  return panel(id, machines, most, seriesOf(ONE_GPU, machines));
};

export const FIGURE_7: Figure = {
  number: 7,
  title: 'Average completion time of a fine-tuning task',
  question: 'How long does a task take when several adapters train at the same time?',
  columns: 4,
  panels: [
    ...[fourGpus('a', '1.1B', 12), fourGpus('b', '7B', 4), fourGpus('c', '13B', 2), fourGpus('d', '70B', 4)],
    ...[eightMachines('e', '1.1B', 8), eightMachines('f', '7B', 4), eightMachines('g', '13B', 2), eightMachines('h', '70B', 1)],
    ...[oneGpu('i', '1.1B', 12), oneGpu('j', '7B', 5), oneGpu('k', '13B', 3), oneGpu('l', '70B', 1)],
  ],
  fitted: FITTED,
  leftOpen: LEFT_OPEN,
};
