import { describe, expect, it } from 'vitest';
import { formatExperiment } from '../../../core/experiment/format.ts';
import { readExperiment } from '../../../core/experiment/read.ts';
import * as E from 'fp-ts/lib/Either.js';
import { context, minimal, problemsOf, read } from './file.ts';

const DATA = { train: 'rows.jsonl', split: 0.5, prompt: '{{ p }}', completion: '{{ c }}' };
const template = { name: 'sums', adapter: { rank: 4 }, data: DATA, iterations: 40, evaluate: { every: 2 } };
const grid = { 'optimizer.learningRate': [0.001, 0.002, 0.004], 'adapter.rank': [2, 8] };
const withJobs = (...jobs: readonly object[]) => ({ ...minimal, jobs });

describe('a job with a grid', () => {
  it('stands for a trial of every choice of values, the last path fastest', () => {
    const { jobs, grids } = read(withJobs({ ...template, grid }));
    expect(jobs.map(({ name, adapter, optimizer }) => [name, optimizer.learningRate, adapter.rank])).toEqual([
      ['sums-1', 0.001, 2], ['sums-2', 0.001, 8], ['sums-3', 0.002, 2], ['sums-4', 0.002, 8], ['sums-5', 0.004, 2], ['sums-6', 0.004, 8],
    ]);
    expect(grids).toMatchObject([{ job: 'sums', paths: ['optimizer.learningRate', 'adapter.rank'] }]);
    expect(grids[0]!.trials[3]).toEqual({ name: 'sums-4', values: [0.002, 8] });
  });

  it('with halving makes them trials of one sweep, in an order drawn from the seed, rungs a reduction apart', () => {
    const file = (seed: number) => withJobs({ ...template, grid, halving: { reduction: 3 }, seed });
    const { jobs } = read(file(1));
    expect(jobs.map(({ name }) => name).toSorted()).toEqual(['sums-1', 'sums-2', 'sums-3', 'sums-4', 'sums-5', 'sums-6']);
    expect(jobs.map(({ halving }) => halving)).toEqual(jobs.map(() => ({ name: 'sums', trials: 6, reduction: 3, rungs: [2, 6, 18] })));
    expect(jobs.map(({ name }) => name)).not.toEqual(read(file(2)).jobs.map(({ name }) => name));
  });

  it('may have halving and patience from the defaults, and stands beside other jobs', () => {
    const { jobs } = read({ ...withJobs({ ...template, grid }, { ...template, name: 'other', halving: null }), defaults: { patience: { evaluations: 3 }, halving: { rungs: [4] } } });
    expect(jobs).toHaveLength(7);
    expect(jobs[0]).toMatchObject({ patience: { evaluations: 3, minimumGain: 0 }, halving: { trials: 6, reduction: 4, rungs: [4] } });
    expect(jobs[6]).not.toHaveProperty('halving');
  });

  it('can be saved and read as the trials it stands for', () => {
    const experiment = read(withJobs({ ...template, grid, halving: {}, patience: { evaluations: 2 } }));
    const again = readExperiment(formatExperiment(experiment), context);
    expect(E.map(({ jobs }: typeof experiment) => jobs)(again)).toEqual(E.right(experiment.jobs));
  });
});

describe('what is wrong with a grid', () => {
  it('is told all at once, at the values that are wrong', () => {
    const wrong = { 'optimizer.learningRate': [0.001, -1], 'adapter.rank': [2, 999], 'optimizer.learnRate': [1], name: ['a'], seed: [], 'data.split': [0.5, 0.5] };
    expect(problemsOf(withJobs({ ...template, grid: wrong }))).toEqual([
      'jobs[0].grid.name: is no path of a setting; expected keys of the job like optimizer.learningRate',
      'jobs[0].grid.seed: is []; expected a list of values',
      'jobs[0].grid["data.split"][1]: is 0.5, as an earlier one',
    ]);
    const { name: _name, seed: _seed, 'data.split': _split, ...paths } = wrong;
    expect(problemsOf(withJobs({ ...template, grid: paths }))).toEqual([
      'jobs[0].grid["optimizer.learnRate"][0]: unknown key; did you mean learningRate?',
      'jobs[0].grid["optimizer.learningRate"][1]: is -1; expected a number above 0',
    ]);
    expect(problemsOf(withJobs({ ...template, grid: { 'adapter.rank': [2, 999] } }))).toEqual([
      'jobs[0].grid["adapter.rank"][1]: is 999; expected at most the smaller side of q_proj (64 × 64)',
      'jobs[0].grid["adapter.rank"][1]: is 999; expected at most the smaller side of k_proj (32 × 64)',
      'jobs[0].grid["adapter.rank"][1]: is 999; expected at most the smaller side of v_proj (32 × 64)',
      'jobs[0].grid["adapter.rank"][1]: is 999; expected at most the smaller side of o_proj (64 × 64)',
    ]);
    expect(problemsOf(withJobs({ ...template, grid: { 'name.x': [1] } }, { ...template, grid: [] }))).toHaveLength(2);
    expect(problemsOf(withJobs({ ...template, grid: { seed: Array.from({ length: 1001 }, (_, seed) => seed) } }))).toEqual(['jobs[0].grid: has 1001 trials; expected at most 1000']);
  });

  it('is told of halving and patience, too', () => {
    const { evaluate: _evaluate, ...blind } = template;
    expect(problemsOf(withJobs({ ...blind, grid, halving: {}, patience: { evaluations: 1 } }))).toEqual([
      'jobs[0].patience: needs evaluate, which says how often the held-out loss is measured',
      'jobs[0].halving: needs evaluate, which says how often the held-out loss is measured',
    ]);
    expect(problemsOf(withJobs({ ...template, grid, halving: { reduction: 1, rungs: [] } }))).toEqual([
      'jobs[0].halving.reduction: is 1; expected a whole number of at least 2',
      'jobs[0].halving.rungs: is []; expected at least one rung',
    ]);
    expect(problemsOf(withJobs({ ...template, grid, halving: { rungs: [2, 5, 40] } }))).toEqual([
      'jobs[0].halving.rungs[1]: is 5; expected ascending multiples of evaluate.every (2) below the job\'s 40 iterations',
      'jobs[0].halving.rungs[2]: is 40; expected ascending multiples of evaluate.every (2) below the job\'s 40 iterations',
    ]);
    expect(problemsOf(withJobs({ ...template, iterations: undefined, grid, halving: {} }))).toEqual([
      'jobs[0].halving.rungs: is missing; expected iterations at which trials are judged, as epochs do not say how many there are',
    ]);
    expect(problemsOf(withJobs({ ...template, halving: { rungs: [2] } }))).toEqual([
      'jobs[0].halving.name: is missing; expected up to 100 characters, the name of the sweep, which a grid gives by itself',
      'jobs[0].halving.trials: is missing; expected the number of trials in the sweep, which a grid gives by itself',
    ]);
    expect(problemsOf(withJobs({ ...template, halving: { name: 's', trials: 3, rungs: [2] } }, { ...template, name: 'b', halving: { name: 's', trials: 2, rungs: [4] } }))).toEqual([
      'jobs[0].halving.trials: is 3, and the file has 2 jobs in the sweep s',
      'jobs[1].halving: is unlike that of jobs[0], which is in the sweep s, too',
    ]);
  });
});
