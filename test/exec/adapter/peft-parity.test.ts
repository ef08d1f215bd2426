import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../../exec/backend/backend.ts';
import { REFERENCE_RUNS, compareWithReference } from '../../../experiments/bench/reference-run.ts';
import { BACKENDS, TOLERANCES, openOrThrow } from '../model/backends.ts';

const REFERENCE = join(import.meta.dirname, '../../reference');

/** A renderer in software takes seconds for a step: there the first steps of one run of each kind have to do. */
const SHORT: readonly string[] = ['llama-dora', 'llama-vera', 'qwen2-rslora-all', 'llama-sgd-clipped'];

const ALL_STEPS = 20;

describe.each(BACKENDS)('on %s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openOrThrow(backendName);
  });
  afterAll(() => backend.dispose());

  const runs = backendName === 'webgpu' ? SHORT : REFERENCE_RUNS;
  const steps = backendName === 'webgpu' ? 2 : ALL_STEPS;
  const tolerances = TOLERANCES[backendName];

  test.each(runs)('training %s follows transformers and PEFT step by step to the same adapter', async (name) => {
    const { lossErrors, normErrors, weightErrors } = await compareWithReference(backend, REFERENCE, name, steps);
    expect(lossErrors).toHaveLength(steps);
    lossErrors.forEach((error, step) => expect(error, `loss of step ${step + 1}`).toBeLessThan(tolerances.loss));
    normErrors.forEach((error, step) => expect(error, `gradient norm of step ${step + 1}`).toBeLessThan(tolerances.loss));
    expect(weightErrors.size > 0).toBe(steps === ALL_STEPS);
    weightErrors.forEach((error, key) => expect(error, key).toBeLessThan(tolerances.weights));
  });
});
