import { NS_PER_US } from '../../../core/units.ts';
import type { DataSet } from '../data-set.ts';
import { readShippedJson, readSplit } from '../shipped-file.ts';
import { fitSingleGpu, predictSingleGpu, type SingleGpuQuantity, type SingleGpuRun } from './predict.ts';
import { readSingleGpu } from './rows.ts';

const WITHIN_A_TENTH = { kind: 'meanError', below: 0.1 } as const;

/** PEFT and BatchLoRA on one A6000 in the mLoRA paper. */
export const paperSingleGpu = (): DataSet<SingleGpuRun, SingleGpuQuantity> => ({
  name: 'paper-single-gpu',
  source: (readShippedJson('paper-single-gpu/steps.json') as { readonly source: string }).source,
  rows: readSingleGpu(),
  split: readSplit('paper-single-gpu/split.json'),
  fit: (rows) => {
    const constants = fitSingleGpu(rows);
    return {
      constants: [
        { name: 'share of the int8 peak', value: constants.int8Efficiency, unit: '' },
        { name: 'launch of a kernel', value: constants.launchNs / NS_PER_US, unit: 'µs' },
        { name: 'context and workspaces', value: constants.contextGB, unit: 'GB' },
      ],
      predict: (run) => predictSingleGpu(run, constants),
    };
  },
  measures: [
    { name: 'kernels of a step', quantity: 'kernelSeconds', unit: 's', target: WITHIN_A_TENTH },
    { name: 'step', quantity: 'stepSeconds', unit: 's', target: WITHIN_A_TENTH },
    { name: 'launches of a step', quantity: 'launchSeconds', unit: 's', target: WITHIN_A_TENTH },
    { name: 'peak memory, graph pruned', quantity: 'memoryGB', unit: 'GB', target: WITHIN_A_TENTH },
  ],
  notes: [
    'bitsandbytes’ LLM.int8 multiplies in int8 going forward (twice, with checkpointing), but backward it dequantises the weight to the type of the activations, fp32 in the released code, and multiplies at the fp32 rate: half of a step, and why 8-bit training is slow here. The fp32 rate is that of paper-fp32.',
    'Launch time is the paper’s step minus its kernels. It follows no count of kernels: 5.6, 12.4 and 7.3 ms a layer for 1.1B, 7B and 13B, whose layers have the same kernels, so 7B cannot predict the others. Its form α/k + β over k adapters does hold. The profiler’s trace behind Fig. 14 would settle it.',
    'Memory: Fig. 16b needs 16-bit activations where the times of Fig. 15 need 32-bit ones: with fp32 inputs 7B would hold 2.1 GB an adapter in checkpoints alone, where an adapter adds 2.8 GB in all. The paper states neither; the figures seem to be of different runs. The precision of the memory rows was chosen on 7B. 13B then comes out within 3 %; 1.1B is too high by the logits: 12 bytes each, as Hugging Face holds them, explain 7B and 13B, and 1.1B has about 8. A memory snapshot would settle it.',
  ],
});
