import type { Figure, Panel } from '../figure.ts';
import type { PaperModel, PaperSystem } from '../paper-run.ts';
import { FITTED, LEFT_OPEN } from './settled.ts';
import { throughput } from './simulated.ts';

const SYSTEMS: readonly (readonly [string, PaperSystem])[] = [
  ['FSDP', 'fsdp'],
  ['TP', 'tensorParallel'],
  ['1F1B', '1f1b'],
  ['LoRAPP', 'lorapp'],
];

const panel = (id: string, model: PaperModel): Panel => ({
  id,
  title: `(${id}) ${model}`,
  setting: 'four A6000, fp32',
  layout: 'lines',
  x: { label: 'adapters', unit: null },
  y: { label: 'throughput', unit: 'tokens/s' },
  series: SYSTEMS.map(([name, system]) => ({
    name,
    paper: name,
    point: (adapters) => throughput({ model, system, gpu: 'A6000', gpus: 4, adapters: Number(adapters) }),
  })),
});

export const FIGURE_12: Figure = {
  number: 12,
  title: 'Throughput by number of adapters',
  question: 'How does throughput grow with the adapters that train at the same time?',
  columns: 3,
  panels: [panel('a', '1.1B'), panel('b', '7B'), panel('c', '13B')],
  fitted: FITTED,
  leftOpen: LEFT_OPEN,
};
