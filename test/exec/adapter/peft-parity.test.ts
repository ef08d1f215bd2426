import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { REFERENCE_RUNS, compareWithReference } from '../../../experiments/bench/reference-run.ts';

const REFERENCE = join(import.meta.dirname, '../../reference');

describe.each(REFERENCE_RUNS)('training %s', (name) => {
  test('follows transformers and PEFT step by step to the same adapter', async () => {
    const { lossErrors, normErrors, weightErrors } = await compareWithReference(REFERENCE, name);
    expect(lossErrors).toHaveLength(20);
    lossErrors.forEach((error, step) => expect(error, `loss of step ${step + 1}`).toBeLessThan(1e-5));
    normErrors.forEach((error, step) => expect(error, `gradient norm of step ${step + 1}`).toBeLessThan(1e-5));
    expect(weightErrors.size).toBeGreaterThan(0);
    weightErrors.forEach((error, key) => expect(error, key).toBeLessThan(1e-4));
  });
});
