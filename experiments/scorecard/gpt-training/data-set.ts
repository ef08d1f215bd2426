import type { DataSet } from '../data-set.ts';
import { readSplit } from '../shipped-file.ts';
import { readAllReduces } from './all-reduce.ts';
import { fitGpt } from './fit.ts';
import { readGptRuns, type GptRun } from './rows.ts';
import { gptMachine } from './simulate-run.ts';

const NOTES = [
  `Every run is planned as 1F1B and simulated; tensor parallelism adds two all-reduces to each pass of a layer and data
parallelism one of all gradients to the step, with vTrain's measured all-reduce times. Products and memory-bound kernels
are counted from Megatron-LM's layers and take one rate each. Small microbatches take as long as the host needs to launch
them: about 3 ms a layer in these runs, whatever its size.`,
  `Not stated by the source: whether activations are recomputed, and how wide gradients are. Both were decided on the rows
to fit on (\`test/experiments/scorecard/gpt-training.test.ts\`). fp16 gradients describe them better than fp32 ones.
Recomputation describes them as well (5.2 % against 5.3 %) but needs 103 % of the memory bandwidth and 89 % of the product
rate, where no measured product of an A100 exceeds 86 %; without it both shares are below what is measured.`,
  `What is left: host time per layer differs between tensor-parallel sizes in a way that shapes do not explain (lower at
hidden size 2048 over four devices, higher over eight), and runs in which host and device are about equally fast are
slower than either alone. A trace of one such iteration with its kernel launches would settle it.`,
];

/** Iteration times of full-parameter GPT training with tensor, data and pipeline parallelism. */
export const gptTraining = (): DataSet<GptRun, 'iteration'> => ({
  name: 'gpt-training',
  source: "vTrain (MICRO 2024), public data (MIT): Megatron-LM GPT training on up to eight A100 of one machine; vTrain's own error on such runs is 8.37 %",
  rows: readGptRuns(),
  split: readSplit('gpt-training/split.json'),
  fit: fitGpt(gptMachine(readAllReduces(), { recompute: false, gradientBytes: 2 })),
  measures: [
    { name: 'iteration time', quantity: 'iteration', unit: 'ms', target: { kind: 'meanError', below: 0.0837 } },
    { name: '… of pipelines', quantity: 'iteration', unit: 'ms', where: ({ pipelineParallel }) => pipelineParallel > 1, target: null },
    { name: '… of tensor parallelism', quantity: 'iteration', unit: 'ms', where: ({ tensorParallel }) => tensorParallel > 1, target: null },
  ],
  notes: NOTES,
});
