import * as E from 'fp-ts/lib/Either.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Experiment } from '../../../core/experiment/experiment.ts';
import { readExperiment } from '../../../core/experiment/read.ts';

const EXAMPLES = 'experiments/examples';
const DEMO = 'experiments/demo/demo.yaml';

const load = (path: string): Experiment => {
  const readModelConfig = (folder: string) =>
    E.right<never, unknown>(JSON.parse(readFileSync(join(dirname(path), folder, 'config.json'), 'utf8')));
  const experiment = readExperiment(readFileSync(path, 'utf8'), { readModelConfig });
  if (E.isLeft(experiment)) throw new Error(JSON.stringify(experiment.left, null, 1));
  return experiment.right;
};

describe('the shipped experiments', () => {
  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')))(
    '%s is valid and called like its file',
    (name) => {
      expect(`${load(join(EXAMPLES, name)).name}.yaml`).toBe(name);
    },
  );

  it('reproduce the paper’s set-up', () => {
    const { model, cluster, jobs, schedule } = load(join(EXAMPLES, 'paper-7b-4xa6000.yaml'));
    expect([model.name, cluster.devices.length, jobs.length]).toEqual(['Llama-2-7B', 4, 4]);
    expect(schedule).toMatchObject({ type: 'lorapp', order: '1f1b', loss: 'tail' });
    for (const { adapter, batchSize, data } of jobs) {
      expect([adapter.rank, batchSize, data]).toMatchObject([16, 8, { lengths: { type: 'fixed', length: 512 } }]);
    }
  });

  it('merge eight adapters into as many groups as devices', () => {
    const { cluster, jobs, schedule } = load(join(EXAMPLES, 'batchlora-8-adapters.yaml'));
    expect([cluster.devices.length, jobs.length]).toEqual([4, 8]);
    expect(schedule).toMatchObject({ groups: 4 });
  });
});

describe('the demo', () => {
  it('trains four different adapters in two processes, on files that are there', () => {
    const { cluster, jobs, modelSource } = load(DEMO);
    expect(cluster.devices).toHaveLength(2);
    expect(modelSource).toEqual({ kind: 'folder', path: './model' });
    expect(jobs.map(({ adapter }) => adapter.rank)).toEqual([4, 8, 16, 8]);
    expect(new Set(jobs.map(({ optimizer }) => optimizer.learningRate)).size).toBeGreaterThan(1);
    for (const { data } of jobs) {
      const paths = data.kind === 'files' ? [data.train, data.heldout] : [];
      expect(paths.map((path) => path !== null && existsSync(join(dirname(DEMO), path)))).toEqual([true, true]);
    }
  });
});
