import type { Figure, Panel } from '../figure.ts';
import type { PaperModel } from '../paper-run.ts';
import type { Steady } from '../tasks/simulate.ts';
import { FITTED_ONE_GPU, LEFT_OPEN_ONE_GPU, ONE_GPU_SERIES, oneGpu } from './one-gpu.ts';
import { simulated, stepOf } from './simulated.ts';

const panel = (id: string, model: PaperModel, label: string, read: (steady: Steady) => number): Panel => ({
  id: `${id}-${model}`,
  title: `(${id}) ${model}, ${label}`,
  setting: 'one A6000, int8 weights, recomputation',
  layout: 'lines',
  x: { label: 'adapters', unit: null },
  y: { label, unit: 's', fromZero: id === 'b' },
  series: ONE_GPU_SERIES.map(([name, system]) => ({
    name,
    paper: name,
    point: (adapters) => simulated(oneGpu(model, system, Number(adapters)), read),
  })),
});

export const FIGURE_15: Figure = {
  number: 15,
  title: 'BatchLoRA by number of adapters',
  question: 'How do launch and kernel time of one task’s step change with the adapters that share it?',
  columns: 3,
  panels: (['1.1B', '7B', '13B'] as const).flatMap((model) => [
    panel('a', model, 'training time', stepOf),
    panel('b', model, 'launch time', ({ launchSeconds }) => launchSeconds),
    panel('c', model, 'kernel time', ({ computeSeconds }) => computeSeconds),
  ]),
  fitted: FITTED_ONE_GPU,
  leftOpen: LEFT_OPEN_ONE_GPU,
};
