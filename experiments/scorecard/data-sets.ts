import type { DataSet } from './data-set.ts';
import { gptTraining } from './gpt-training/data-set.ts';
import { pipelinePasses } from './pipeline-passes/data-set.ts';
import { loraLayers } from './lora-layers/data-set.ts';
import { memoryLaw } from './memory-law/data-set.ts';
import { multiLoraH100 } from './multi-lora-h100/data-set.ts';
import { paperFp32 } from './paper-fp32/data-set.ts';
import { paperPipelines } from './paper-pipelines/data-set.ts';
import { paperSingleGpu } from './paper-single-gpu/data-set.ts';
import { qwenLora } from './qwen-lora/data-set.ts';

/** A data set of the scorecard; it is read from its files when it is used. */
export interface ScorecardEntry {
  readonly name: string;
  readonly use: <Result>(consume: <Input, Quantity extends string>(dataSet: DataSet<Input, Quantity>) => Result) => Result;
}

const entry = <Input, Quantity extends string>(name: string, open: () => DataSet<Input, Quantity>): ScorecardEntry => ({
  name,
  use: (consume) => consume(open()),
});

/** All data sets, in the order of the report. */
export const SCORECARD: readonly ScorecardEntry[] = [
  entry('pipeline-passes', pipelinePasses),
  entry('gpt-training', gptTraining),
  entry('lora-layers', loraLayers),
  entry('qwen-lora', qwenLora),
  entry('paper-fp32', paperFp32),
  entry('paper-single-gpu', paperSingleGpu),
  entry('paper-pipelines', paperPipelines),
  entry('multi-lora-h100', multiLoraH100),
  entry('memory-law', memoryLaw),
];
