import { NS_PER_US } from '../../../core/units.ts';
import type { DataSet } from '../data-set.ts';
import { readShippedJson, readSplit } from '../shipped-file.ts';
import { fitQwen, predictQwen, type QwenQuantity, type QwenRun } from './predict.ts';
import { readQwen } from './rows.ts';

const isLong = ({ length }: QwenRun): boolean => length >= 1024;

/** Time and peak memory of a LoRA step by sequence length, one A100. */
export const qwenLora = (): DataSet<QwenRun, QwenQuantity> => ({
  name: 'qwen-lora',
  source: (readShippedJson('qwen-lora/steps.json') as { readonly source: string }).source,
  rows: readQwen(),
  split: readSplit('qwen-lora/split.json'),
  fit: (rows) => {
    const constants = fitQwen(rows);
    return {
      constants: [
        { name: 'launch of a kernel', value: constants.launchNs / NS_PER_US, unit: 'µs' },
        { name: 'context and workspaces', value: constants.contextGB, unit: 'GB' },
      ],
      predict: (run) => predictQwen(run, constants),
    };
  },
  measures: [
    { name: 'step', quantity: 'stepSeconds', unit: 's', target: { kind: 'meanError', below: 0.1 } },
    { name: 'peak memory from 1,024 tokens up', quantity: 'memoryGB', unit: 'GB', where: isLong, target: { kind: 'meanError', below: 0.05 } },
    { name: 'peak memory, all lengths', quantity: 'memoryGB', unit: 'GB', target: null },
  ],
  notes: [
    'Device time comes from the A100 tables and the shares fitted in lora-layers; nothing of it is fitted here. Short sequences are bound by launches, whose cost is; long ones by the device.',
    'Peak memory: weights, adapter state, one input per layer, and 12 bytes of every logit (logits and their shifted copy in bf16, the fp32 copy, the log-probabilities). Both models hold 2 GB more at 4,096 tokens than the line through their other lengths; that is the size of one fp32 copy of the logits, left free in the allocator. A memory snapshot would settle it.',
    'The README’s Q-LoRA rows are GPTQ int4 kernels, which we do not model.',
  ],
});
