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

const hours = (run: Omit<PaperRun, 'adapters'>): Series['point'] => (adapters) => completionHours({ ...run, adapters: Number(adapters) });

const panel = (id: string, machines: Machines, series: readonly Series[]): Panel => ({
  id,
  title: `(${id}) ${machines.model}, ${machines.gpus} × ${machines.gpu}`,
  setting: machines.model === '70B' || machines.gpus === 1 ? 'int8 weights, recomputation' : 'fp32',
  layout: 'lines',
  x: { label: 'adapters', unit: null },
  y: { label: 'completion time', unit: 'h' },
  series,
});

const seriesOf = (systems: readonly (readonly [string, PaperSystem])[], machines: Machines): Series[] =>
  systems.map(([name, system]) => ({ name, paper: name, point: hours({ ...machines, system }) }));

/** mLoRA as the paper describes it; the paper's own curve is of the released code. */
const asDescribed = (machines: Machines, most: number): Series => ({
  name: 'mLoRA, loss on the last GPU',
  paper: null,
  at: Array.from({ length: most }, (_, index) => index + 1),
  point: hours({ ...machines, system: 'lorapp', loss: 'tail' }),
});

const fourGpus = (id: string, model: PaperModel): Panel => {
  const machines: Machines = { model, gpu: 'A6000', gpus: 4 };
  return panel(id, machines, seriesOf(PIPELINES, machines));
};

const eightMachines = (id: string, model: PaperModel, most: number): Panel => {
  const machines: Machines = { model, gpu: '3090', gpus: 8 };
  return panel(id, machines, [...seriesOf(PIPELINES, machines), asDescribed(machines, most)]);
};

const oneGpu = (id: string, model: PaperModel): Panel => {
  const machines: Machines = { model, gpu: 'A6000', gpus: 1 };
  return panel(id, machines, seriesOf(ONE_GPU, machines));
};

export const FIGURE_7: Figure = {
  number: 7,
  title: 'Average completion time of a fine-tuning task',
  question: 'How long does a task take when several adapters train at the same time?',
  columns: 4,
  panels: [
    ...[fourGpus('a', '1.1B'), fourGpus('b', '7B'), fourGpus('c', '13B'), fourGpus('d', '70B')],
    ...[eightMachines('e', '1.1B', 8), eightMachines('f', '7B', 4), eightMachines('g', '13B', 2), eightMachines('h', '70B', 1)],
    ...[oneGpu('i', '1.1B'), oneGpu('j', '7B'), oneGpu('k', '13B'), oneGpu('l', '70B')],
  ],
  fitted: FITTED,
  leftOpen: LEFT_OPEN,
};
