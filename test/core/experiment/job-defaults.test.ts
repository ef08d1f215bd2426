import { describe, expect, it } from 'vitest';
import { fillFromDefaults } from '../../../core/experiment/job-defaults.ts';
import { job, minimal, problemsOf, read } from './file.ts';

describe('defaults', () => {
  it('fill what jobs leave out, key by key', () => {
    const defaults = { adapter: { rank: 8, dropout: 0.1 }, batchSize: 4, data: job.data };
    const { jobs } = read({
      ...minimal,
      defaults,
      jobs: [{ name: 'a' }, { name: 'b', adapter: { rank: 2 }, batchSize: 6 }],
    });
    expect(jobs.map(({ adapter, batchSize }) => [adapter.rank, adapter.dropout, batchSize])).toEqual([
      [8, 0.1, 4],
      [2, 0.1, 6],
    ]);
  });

  it('give way to the other way of saying the same', () => {
    expect(fillFromDefaults({ epochs: 3 }, { iterations: 5 })).toEqual({ iterations: 5 });
    expect(fillFromDefaults({ iterations: 3 }, { epochs: 5 })).toEqual({ epochs: 5 });
    const files = { train: 'x', prompt: 'p', completion: 'c' };
    const made = { lengths: { type: 'fixed', length: 3 }, rows: 5 };
    expect(fillFromDefaults({ data: files }, { data: made })).toEqual({ data: made });
    expect(fillFromDefaults({ data: made }, { data: files })).toEqual({ data: files });
    expect(fillFromDefaults({ data: { prompt: 'p' } }, { data: { train: 'x' } })).toEqual({
      data: { prompt: 'p', train: 'x' },
    });
  });

  it('keep to themselves what another type of adapter or optimizer does not have', () => {
    const defaults = { ...job, name: undefined, adapter: { rank: 4, alpha: 16 }, optimizer: { learningRate: 0.1, beta1: 0.8 } };
    const other = { name: 'b', adapter: { type: 'vera', rank: 8 }, optimizer: { type: 'sgd', momentum: 0.9 } };
    const [first, second] = read({ ...minimal, defaults, jobs: [{ name: 'a', optimizer: { type: 'adamw' } }, other] }).jobs;
    expect([first!.adapter, first!.optimizer]).toMatchObject([{ alpha: 16 }, { beta1: 0.8 }]);
    expect([second!.adapter, second!.optimizer]).toMatchObject([{ type: 'vera', rank: 8 }, { type: 'sgd', learningRate: 0.1, momentum: 0.9 }]);
    const own = { name: 'a', optimizer: { type: 'sgd', beta2: 0.9 } };
    expect(problemsOf({ ...minimal, defaults, jobs: [own] })[0]).toContain('jobs[0].optimizer.beta2: unknown key');
  });

  it('do not mix two distributions', () => {
    const uniform = { type: 'uniform', minimum: 1, maximum: 2 };
    expect(
      fillFromDefaults({ data: { lengths: { type: 'fixed', length: 3 } } }, { data: { lengths: uniform } }),
    ).toEqual({
      data: { lengths: uniform },
    });
  });

  it('are where their mistakes are reported, once', () => {
    const defaults = { ...job, name: undefined, adapter: { rank: 0, dropout: 0.1 }, optimizer: { lr: 3 } };
    expect(problemsOf({ ...minimal, defaults, jobs: [{ name: 'a' }, { name: 'b' }] })).toEqual([
      'defaults.adapter.rank: is 0; expected a whole number of at least 1',
      'defaults.optimizer.lr: unknown key; known keys: type, learningRate, learningRateRatio, maxGradientNorm, schedule, beta1, beta2, epsilon, weightDecay',
    ]);
  });

  it('are not blamed for a job’s own mistakes', () => {
    const defaults = { ...job, name: undefined };
    expect(problemsOf({ ...minimal, defaults, jobs: [{ name: 'a', adapter: { rank: 'x' } }] })).toEqual([
      'jobs[0].adapter.rank: is "x"; expected a whole number of at least 1',
    ]);
  });

  it('must be settings', () => {
    expect(problemsOf({ ...minimal, defaults: 7 })).toEqual(['defaults: is 7; expected a mapping of job settings']);
  });
});
