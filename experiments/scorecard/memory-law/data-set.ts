import { evaluateLaw, fitLaw, type JobSize } from '../../../core/scheduler/memory-law.ts';
import type { DataSet } from '../data-set.ts';
import { readSplit } from '../shipped-file.ts';
import { readLedger } from './rows.ts';

/** The paper's memory law against our own ledger: whether a scheduler may use the law in the ledger's place. */
export const memoryLaw = (): DataSet<JobSize, 'memoryGB'> => ({
  name: 'memory-law',
  source: 'our own ledger, not a measurement: one job on an inner stage of Llama-2-7B (8 layers, fp32, score matrix kept)',
  rows: readLedger(),
  split: readSplit('memory-law/split.json'),
  fit: (rows) => {
    const law = fitLaw(rows.map(({ input }) => input), rows.map(({ measured }) => measured.memoryGB!));
    return {
      constants: [
        { name: 'β₀', value: law[0], unit: 'GB' },
        { name: 'β₁', value: law[1], unit: 'GB a token' },
        { name: 'β₂', value: law[2], unit: 'GB a token and position' },
      ],
      predict: (size) => ({ memoryGB: evaluateLaw(law, size) }),
    };
  },
  measures: [{ name: 'peak of a stage', quantity: 'memoryGB', unit: 'GB', target: { kind: 'meanError', below: 0.01 } }],
  notes: [
    'The paper (section 3.4) fits Mem = β₀ + β₁·B·L + β₂·B·L² with coefficients of at least 0 to 15 measured points. The ledger follows it up to a kink: short rows hold an MLP’s temporaries at their peak, long ones score matrices.',
  ],
});
