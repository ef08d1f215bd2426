import type { DataSet } from '../data-set.ts';
import { readSplit } from '../shipped-file.ts';
import { bubbleOf, replayMs, throughputOf, unequalStagesMs } from './replay.ts';
import { readPasses, type PipelinePasses, type PipelineQuantity } from './rows.ts';

const NOTES = [
  `Bubbles: the published pass times, replayed by the engine under the 1F1B plan with one transfer per boundary.`,
  `Throughput: a plain replay is 4 to 5 % too fast, and more so with more microbatches, so the cause is no cost per
iteration. It is the slowest stage. The source gives one time per pass for eight stages that are not equal: it takes a
layer off the first and the last stage and leaves the LM head on the last. Read as means over the stages, an inner
stage takes 4 % more than the mean (and the last one of 1.5B 9 %), and a full pipeline moves as fast as its slowest stage.
The LM head is priced at the rate measured elsewhere for products of its size, the optimizer step by the bytes it moves
(0.2 to 0.9 % of an iteration). Nothing is fitted.`,
  `What is left: that the published times are means is our reading, found by looking at these same six rows, though no
number was adjusted to them. Layers and width are the source's settings; GPT-2's vocabulary is assumed, and with it both
models have the parameter counts of their names. Pass times by stage would settle it.`,
];

/** 1F1B with the pass times that the source profiled: its bubble rates, and the throughput it measured. */
export const pipelinePasses = (): DataSet<PipelinePasses, PipelineQuantity> => ({
  name: 'pipeline-passes',
  source: 'Zero Bubble Pipeline Parallelism (arXiv 2401.10241), tables 3-6: full-parameter GPT training on eight A100 80 GB',
  rows: readPasses(),
  split: readSplit('pipeline-passes/split.json'),
  fit: () => ({
    constants: [],
    predict: (passes) => ({
      bubble: bubbleOf(passes),
      throughput: throughputOf(passes, unequalStagesMs(passes)),
      replayed: throughputOf(passes, replayMs(passes)),
    }),
  }),
  measures: [
    { name: '1F1B bubble rate', quantity: 'bubble', unit: '', target: { kind: 'decimals', places: 4 } },
    { name: '1F1B throughput', quantity: 'throughput', unit: 'samples/s/GPU', target: { kind: 'meanError', below: 0.03 } },
    { name: '… plain replay', quantity: 'replayed', unit: 'samples/s/GPU', target: null },
  ],
  notes: NOTES,
});
