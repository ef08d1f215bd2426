import { resolve } from 'node:path';

/** An experiment file: two adapters on the shipped model over two processes, saved every second iteration. */
export const shortExperiment = (iterations: number): string => `
name: short
model: ${resolve('experiments/demo/model')}
cluster: 2xcpu
schedule: { type: lorapp, microbatches: 2 }
checkpoint: { every: 2 }
defaults:
  batchSize: 8
  iterations: ${iterations}
  optimizer: { learningRate: 0.003 }
  data: { prompt: "### Instruction:\\n{{ instruction }}\\n### Response:\\n", completion: "{{ output }}" }
jobs:
  - name: sums
    adapter: { rank: 8 }
    data: { train: ${resolve('experiments/demo/data/sums.train.jsonl')} }
  - name: dates
    adapter: { rank: 4 }
    data: { train: ${resolve('experiments/demo/data/dates.train.jsonl')} }
`;
