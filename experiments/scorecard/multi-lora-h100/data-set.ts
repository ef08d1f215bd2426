import type { DataSet, Measure } from '../data-set.ts';
import { readShippedJson, readSplit } from '../shipped-file.ts';
import { predictMix, SYSTEMS, type MixRun, type MixSystem } from './predict.ts';
import { readMixes } from './rows.ts';

const NAMES: Readonly<Record<MixSystem, string>> = { fsdp: 'FSDP', '1f1b': '1F1B', lorapp: 'mLoRA' };

const each = (system: MixSystem): Measure<MixRun, 'tokensPerSecond'> => ({
  name: NAMES[system],
  quantity: 'tokensPerSecond',
  unit: 'tokens/s',
  where: (run) => run.system === system,
  target: { kind: 'worstError', atMost: 0.15 },
});

/** FSDP, 1F1B and mLoRA of LoRAFusion's evaluation: Qwen2.5-32B on two H100, five mixes of lengths. */
export const multiLoraH100 = (): DataSet<MixRun, 'tokensPerSecond'> => ({
  name: 'multi-lora-h100',
  source: (readShippedJson('multi-lora-h100/throughput.json') as { readonly source: string }).source,
  rows: readMixes(),
  split: readSplit('multi-lora-h100/split.json'),
  fit: () => ({ constants: [], predict: predictMix }),
  measures: [
    ...SYSTEMS.map(each),
    { name: 'order of the three', quantity: 'tokensPerSecond', unit: 'tokens/s', target: { kind: 'order', group: ({ mix }) => mix } },
  ],
  notes: [
    'Nothing is fitted: profile of the H100, published script (rows of a microbatch, modules, dropout). Lengths are lognormal with the means of the three data sets; their spread is a guess, as the file of sampled lengths is not published.',
    'The short rows of XSum are predicted too fast for FSDP and 1F1B, which step after every adapter’s iteration: what is missing is 0.4 s an iteration at XSum, 0.25 to 0.3 s at CNN and nothing at WikiSum, while mLoRA, whose other adapters go on meanwhile, lacks none. It looks like work of the host around a step, which longer iterations hide; the source does not show it. With different lengths (Het) FSDP and mLoRA are equal here where mLoRA led by 14 %: how long FSDP’s ranks wait for the longest of their rows depends on the spread. The sampled lengths and a profile of one step at XSum would settle both.',
  ],
});
