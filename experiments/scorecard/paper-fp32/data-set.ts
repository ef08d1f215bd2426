import type { DataSet } from '../data-set.ts';
import { readShippedJson, readSplit } from '../shipped-file.ts';
import { fitPipeline, predictPipeline, type PipelineQuantity, type PipelineRun } from './predict.ts';
import { readPipelines } from './rows.ts';

/** Stage times in fp32 on A6000s, from LoRAPP's full pipelines in the mLoRA paper. */
export const paperFp32 = (): DataSet<PipelineRun, PipelineQuantity> => ({
  name: 'paper-fp32',
  source: (readShippedJson('paper-fp32/throughput.json') as { readonly source: string }).source,
  rows: readPipelines(),
  split: readSplit('paper-fp32/split.json'),
  fit: (rows) => {
    const constants = fitPipeline(rows);
    return {
      constants: [
        { name: 'share of the fp32 peak in products', value: constants.fp32Efficiency, unit: '' },
        { name: 'runtime in every pass', value: constants.perPassMs, unit: 'ms' },
      ],
      predict: (run) => predictPipeline(run, constants),
    };
  },
  measures: [
    { name: 'LoRAPP, pipeline full', quantity: 'tokensPerSecond', unit: 'tokens/s', target: { kind: 'meanError', below: 0.1 } },
    { name: 'computation of a microbatch at a stage', quantity: 'computeMs', unit: 'ms', target: null },
  ],
  notes: [
    'Calibrated on 7B’s throughput alone, 1.1B comes out a fifth too fast. The paper’s own Fig. 10 says why it is not the products: without overlap a microbatch takes 546 ms at 7B, of which 75 % computes (410 ms), and with overlap 433 ms, so 23 ms are neither computation nor hidden. The released transport copies messages through pickled host tensors in threads of the same Python process. As a constant of every pass this is 5 % of a step at 7B and 25 % at 1.1B.',
    'The paper’s 1.1B peak is 10,184 in Fig. 12, 10,748 in Fig. 11 and 11,625 in Fig. 10; its 13B values agree within 1 %. A trace of one stage’s Python threads would replace the constant.',
  ],
});
