import type { Figure, Panel, Series } from '../figure.ts';
import type { PaperModel, PaperRun } from '../paper-run.ts';
import { FITTED, LEFT_OPEN } from './settled.ts';
import { simulated, throughput } from './simulated.ts';

/** As many adapters as the paper's other figures run at most without BatchLoRA. */
const ADAPTERS = 4;

const run = (model: PaperModel, transfers: 'overlapped' | 'blocking'): PaperRun => ({
  model,
  system: 'lorapp',
  gpu: 'A6000',
  gpus: 4,
  adapters: ADAPTERS,
  transfers,
});

const bars = (name: string, transfers: 'overlapped' | 'blocking'): Series => ({
  name,
  paper: name,
  point: (model) => throughput(run(model as PaperModel, transfers)),
});

/** Shares of the time in which a GPU computes or waits for a transfer, in percent. */
const share = (name: 'Computation' | 'Communication'): Series => ({
  name,
  paper: name,
  point: (model) =>
    simulated(run(model as PaperModel, 'blocking'), ({ computeSeconds, blockedSeconds }) => {
      const communication = (100 * blockedSeconds) / computeSeconds;
      return name === 'Communication' ? communication : 100 - communication;
    }),
});

const MODEL = { label: 'model', unit: null } as const;

const panels: readonly Panel[] = [
  {
    id: 'a',
    title: '(a) Throughput',
    setting: 'LoRAPP, four adapters, four A6000, fp32',
    layout: 'bars',
    x: MODEL,
    y: { label: 'throughput', unit: 'tokens/s' },
    series: [bars('Without overlapping', 'blocking'), bars('With overlapping', 'overlapped')],
  },
  {
    id: 'b',
    title: '(b) Share of the time',
    setting: 'LoRAPP without overlapping, four adapters, four A6000, fp32',
    layout: 'bars',
    x: MODEL,
    y: { label: 'share of the time', unit: '%' },
    series: [share('Computation'), share('Communication')],
  },
];

export const FIGURE_10: Figure = {
  number: 10,
  title: 'Overlapping communication and computation',
  question: 'What does it cost when compute waits for transfers?',
  columns: 2,
  panels,
  fitted: FITTED,
  leftOpen: [...LEFT_OPEN, 'Number of adapters: not stated, four here. Which run panel (b) is of: not stated, the one without overlapping here.'],
};
