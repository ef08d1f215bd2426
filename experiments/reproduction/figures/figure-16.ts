import { GIGA } from '../../../core/units.ts';
import { readConstants } from '../constants.ts';
import { reading, valueOf, type Figure, type Panel, type Reading, type Series } from '../figure.ts';
import { experimentOf, PAPER_MODELS, type PaperModel } from '../paper-run.ts';
import type { OperatorTask } from '../tasks/operator.ts';
import { FITTED_ONE_GPU, oneGpu } from './one-gpu.ts';
import { simulated } from './simulated.ts';

const MODELS = ['1.1B', '7B', '13B'] as const;
const TOKENS = 8 * 512;
const MICROSECONDS = 1e6;

const operator = (model: PaperModel, adapters: number, pruned: boolean): OperatorTask => {
  const experiment = experimentOf(oneGpu(model, 'batchLora', adapters), readConstants());
  return { kind: 'operator', experiment, pruned, tokens: TOKENS };
};

const VARIANTS = [
  ['without graph pruning', 'Operator without Graph Pruning', false],
  ['with graph pruning', 'Operator with Graph Pruning', true],
] as const;

const series = (point: (pruned: boolean, adapters: number) => Reading): Series[] =>
  VARIANTS.map(([name, paper, pruned]) => ({ name, paper, point: (adapters) => point(pruned, Number(adapters)) }));

const X = { label: 'adapters', unit: null } as const;

const time = (model: PaperModel): Panel => ({
  id: `a-${model}`,
  title: `(a) ${model}, time of the operator`,
  setting: 'mean over q, k, v, o; host time to launch the kernels of forward and backward',
  layout: 'lines',
  x: X,
  y: { label: 'time', unit: 'µs', scale: 'log' },
  series: series((pruned, adapters) =>
    reading<'operator'>(operator(model, adapters, pruned), ({ launchSeconds }) => valueOf(MICROSECONDS * launchSeconds)),
  ),
});

/** Without pruning every adapted module of the layer in work holds an input-sized tensor more. */
const unprunedBytes = (model: PaperModel, adapters: number): number => UNPRUNED_MODULES * adapters * TOKENS * WIDTHS[model] * GRADIENT_BYTES;
const UNPRUNED_MODULES = 4;
const GRADIENT_BYTES = 4;
/** Hidden sizes: inputs of q, k, v and o. */
const WIDTHS: Readonly<Record<PaperModel, number>> = { '1.1B': 2048, '7B': 4096, '13B': 5120, '70B': 8192 };

const memory = (model: PaperModel): Panel => ({
  id: `b-${model}`,
  title: `(b) ${model}, peak memory`,
  setting: `one A6000, ${PAPER_MODELS[model]} in int8, 16-bit activations, recomputation`,
  layout: 'lines',
  x: X,
  y: { label: 'peak memory', unit: 'GB' },
  series: series((pruned, adapters) =>
    simulated({ ...oneGpu(model, 'batchLora', adapters), precision: 'fp16' }, ({ peakBytes }) => (peakBytes + (pruned ? 0 : unprunedBytes(model, adapters))) / GIGA),
  ),
});

export const FIGURE_16: Figure = {
  number: 16,
  title: 'The BatchLoRA operator with and without graph pruning',
  question: 'What does writing input gradients in place save?',
  columns: 3,
  panels: [...MODELS.map(time), ...MODELS.map(memory)],
  fitted: FITTED_ONE_GPU,
  leftOpen: [
    'What “average time” of the operator is. It cannot be time on the device: at 8 × 512 tokens of width 2048 in fp32, reading the input once takes 44 µs at the full bandwidth of an A6000, and the paper has 20 µs, hardly more for 13B than for 1.1B. It has the form of launches, so much for each adapter whatever the model; ours are launches, 12 kernels of an adapter with pruning and 13 without, at the 7 µs of an eager PyTorch kernel. The paper has 13 to 16 and 17 to 20 µs an adapter, two or three kernels: one direction, or launches without Python. Its spans would settle it.',
    'Whether GB is 1e9 or 2^30 bytes: 1e9 here.',
    'Precision of activations: (b) needs 16 bit where the times of Figure 15 need 32 bit; chosen on 7B (scorecard paper-single-gpu).',
  ],
};
