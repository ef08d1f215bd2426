import type { Figure, Panel } from '../figure.ts';
import type { PaperModel } from '../paper-run.ts';
import type { Steady } from '../tasks/simulate.ts';
import { FITTED_ONE_GPU, LEFT_OPEN_ONE_GPU, MOST_ADAPTERS, ONE_GPU_SERIES, oneGpu } from './one-gpu.ts';
import { simulated, stepOf } from './simulated.ts';

const panel = (id: string, title: string, y: Panel['y'], read: (steady: Steady) => number): Panel => ({
  id,
  title: `(${id}) ${title}`,
  setting: 'one A6000, int8 weights, recomputation, at the maximum number of adapters',
  layout: 'bars',
  x: { label: 'model', unit: null },
  y,
  series: ONE_GPU_SERIES.map(([name, system]) => ({
    name,
    paper: name,
    point: (model) => simulated(oneGpu(model as PaperModel, system, MOST_ADAPTERS[model]!), read),
  })),
});

export const FIGURE_14: Figure = {
  number: 14,
  title: 'BatchLoRA: training time, share of launches, kernel time',
  question: 'What does one step of one task cost on one GPU, and how much of it is launching kernels?',
  columns: 3,
  panels: [
    panel('a', 'Training time', { label: 'time of a step', unit: 's' }, stepOf),
    panel('b', 'Share of launches', { label: 'launch time ÷ training time', unit: '%' }, (steady) => (100 * steady.launchSeconds) / stepOf(steady)),
    panel('c', 'Kernel time', { label: 'time of kernels', unit: 's' }, ({ computeSeconds }) => computeSeconds),
  ],
  fitted: FITTED_ONE_GPU,
  leftOpen: [...LEFT_OPEN_ONE_GPU, 'The number of adapters: 12, 5 and 3, from Figures 7 and 15.'],
};
