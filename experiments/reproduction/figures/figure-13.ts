import type { Figure, Panel } from '../figure.ts';
import type { PaperModel } from '../paper-run.ts';
import { FITTED, LEFT_OPEN } from './settled.ts';
import { throughput } from './simulated.ts';

const THROUGHPUT = { label: 'throughput', unit: 'tokens/s' } as const;
const LORAPP = { system: 'lorapp', gpu: 'A6000' } as const;

/** As many adapters as GPUs: more are merged by BatchLoRA, which this figure does not have. */
const scaling = (id: string, model: PaperModel): Panel => ({
  id,
  title: `(${id}) ${model}, by GPUs`,
  setting: 'LoRAPP in one machine of A6000, as many adapters as GPUs, rank 16, fp32',
  layout: 'lines',
  x: { label: 'GPUs', unit: null },
  y: THROUGHPUT,
  series: [
    { name: 'LoRAPP', paper: 'LoRAPP', point: (gpus) => throughput({ ...LORAPP, model, gpus: Number(gpus), adapters: Number(gpus) }) },
  ],
});

const ranks = (id: string, model: PaperModel): Panel => ({
  id,
  title: `(${id}) ${model}, by rank`,
  setting: 'LoRAPP, four A6000, four adapters, fp32',
  layout: 'lines',
  x: { label: 'rank', unit: null },
  y: THROUGHPUT,
  series: [{ name: 'LoRAPP', paper: 'LoRAPP', point: (rank) => throughput({ ...LORAPP, model, gpus: 4, adapters: 4, rank: Number(rank) }) }],
});

export const FIGURE_13: Figure = {
  number: 13,
  title: 'Scaling with GPUs and with the rank',
  question: 'Does throughput grow with the GPUs, and what does a larger rank cost?',
  columns: 3,
  panels: [scaling('a', '1.1B'), scaling('b', '7B'), scaling('c', '13B'), ranks('d', '1.1B'), ranks('e', '7B'), ranks('f', '13B')],
  fitted: FITTED,
  leftOpen: [...LEFT_OPEN, 'Number of adapters: “at its maximum”, not given; as many as GPUs here.'],
};
