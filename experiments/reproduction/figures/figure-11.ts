import type { Figure, Panel } from '../figure.ts';
import type { PaperModel, PaperSystem } from '../paper-run.ts';
import { FITTED, LEFT_OPEN } from './settled.ts';
import { throughput } from './simulated.ts';

const SYSTEMS: readonly (readonly [string, PaperSystem, number])[] = [
  ['1F1B', '1f1b', 1],
  ['TP', 'tensorParallel', 1],
  ['FSDP', 'fsdp', 1],
  ['LoRAPP', 'lorapp', 4],
];

const panel = (id: string, model: PaperModel): Panel => ({
  id,
  title: `(${id}) ${model}`,
  setting: 'four A6000, fp32; LoRAPP with four adapters, the others with one at a time',
  layout: 'bars',
  x: { label: 'model', unit: null },
  y: { label: 'throughput', unit: 'tokens/s' },
  series: SYSTEMS.map(([name, system, adapters]) => ({
    name,
    paper: name,
    point: () => throughput({ model, system, gpu: 'A6000', gpus: 4, adapters }),
  })),
});

export const FIGURE_11: Figure = {
  number: 11,
  title: 'Peak throughput of the parallelism strategies',
  question: 'Which strategy trains most tokens a second?',
  columns: 3,
  panels: [panel('a', '1.1B'), panel('b', '7B'), panel('c', '13B')],
  fitted: FITTED,
  leftOpen: LEFT_OPEN,
};
