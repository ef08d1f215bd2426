import type { DataSet } from '../data-set.ts';
import { readSplit } from '../shipped-file.ts';
import { bubbleOf } from './replay.ts';
import { readPasses, type PipelinePasses } from './rows.ts';

const SOURCE = 'Zero Bubble Pipeline Parallelism (arXiv 2401.10241), tables 4-6: GPT on eight A100 80 GB stages';

/** Bubble rates of 1F1B that the source computed from its profiled pass times. */
export const pipelineBubbles = (): DataSet<PipelinePasses, 'bubble'> => ({
  name: 'pipeline-bubbles',
  source: SOURCE,
  rows: readPasses(),
  split: readSplit('pipeline-passes/bubble-split.json'),
  fit: () => ({ constants: [], predict: (passes) => ({ bubble: bubbleOf(passes) }) }),
  measures: [{ name: '1F1B bubble rate', quantity: 'bubble', unit: '', target: { kind: 'decimals', places: 4 } }],
  notes: ['The published pass times, replayed by the engine under the 1F1B plan with one transfer per boundary.'],
});
