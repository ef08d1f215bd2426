import type { DataSet } from './data-set.ts';
import { gptTraining } from './gpt-training/data-set.ts';
import { pipelinePasses } from './pipeline-passes/data-set.ts';

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
];
