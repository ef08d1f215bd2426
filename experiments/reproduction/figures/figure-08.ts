import { readConstants } from '../constants.ts';
import { reading, valueOf, type Figure, type Panel, type Series } from '../figure.ts';
import { experimentOf } from '../paper-run.ts';
import type { ConvergenceResult, ConvergenceTask } from '../tasks/convergence.ts';
import type { MemoryModelTask } from '../tasks/memory-model.ts';

const COUNTS = [3, 7, 15, 23, 31, 39, 47, 55, 63, 71];

const memoryTask = (): MemoryModelTask => ({
  kind: 'memoryModel',
  experiment: experimentOf({ model: '7B', system: '1f1b', gpu: 'A6000', gpus: 4, adapters: 1, microbatches: 1, loss: 'tail' }, readConstants()),
  largestBatch: 8,
  longest: 1024,
  counts: COUNTS,
  testPoints: 40,
});

const memoryModel: Panel = {
  id: 'a',
  title: '(a) Error of the memory model',
  setting: 'fullest GPU of a 7B pipeline of four, batch 1 to 8, length 64 to 1024, 40 points that no fit sees',
  layout: 'lines',
  x: { label: 'points fitted on', unit: null },
  y: { label: 'MAPE', unit: '%' },
  series: [
    {
      name: 'memory model',
      paper: 'mLoRA memory model',
      point: (count) => reading<'memoryModel'>(memoryTask(), ({ meanErrors }) => valueOf(100 * meanErrors[COUNTS.indexOf(Number(count))]!)),
    },
  ],
};

/** Iterations of the demo's first job. */
const ITERATIONS = 50;
const CONVERGENCE: ConvergenceTask = { kind: 'convergence', job: 'sums', devices: 2 };

const curve = (name: string, of: (result: ConvergenceResult) => readonly number[]): Series => ({
  name,
  paper: null,
  at: Array.from({ length: ITERATIONS }, (_, iteration) => iteration),
  point: (iteration) => reading<'convergence'>(CONVERGENCE, (result) => valueOf(of(result)[Number(iteration)]!)),
});

const convergence: Panel = {
  id: 'b',
  title: '(b) Convergence, trained here',
  setting: 'job “sums” of the shipped demo, really trained: among four jobs through two stages, and alone on one device',
  layout: 'lines',
  x: { label: 'iteration', unit: null },
  y: { label: 'loss', unit: 'nats per token' },
  series: [
    curve('alone', ({ solo }) => solo),
    curve('in a crowd of four', ({ crowd }) => crowd),
    curve('difference', ({ crowd, solo }) => crowd.map((loss, iteration) => Math.abs(loss - solo[iteration]!))),
  ],
};

export const FIGURE_8: Figure = {
  number: 8,
  title: 'Memory model and convergence',
  question: 'Does a linear model describe our memory ledger, and does a crowd change what an adapter learns?',
  columns: 2,
  panels: [memoryModel, convergence],
  fitted: ['The three non-negative coefficients of Mem = β₀ + β₁·B·L + β₂·B·L², on as many points as the axis says.'],
  leftOpen: [
    'The paper’s memory was measured and has noise; our ledger has none, so its law is found from few points.',
    'Model, data and GPU of both panels are not stated. (b) of the paper has 746 iterations of another model and other data; its values are in `paper/figure-08.json`, and only its claim, that both curves are the same, is held against ours.',
  ],
};
