import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readExperiment, resolveExperiment } from '../../../core/experiment/read.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { context, job, minimal, problemsOf, read } from './file.ts';

describe('a minimal experiment file', () => {
  it('is filled up with defaults', () => {
    const experiment = read(minimal);
    expect(experiment).toMatchObject({
      name: 'test',
      precision: 'fp32',
      modelSource: { kind: 'folder', path: './tiny' },
      model: { name: 'tiny', hiddenSize: 64 },
      schedule: {
        type: 'lorapp',
        microbatches: 2,
        order: '1f1b',
        release: 'staggered',
        groups: 'auto',
        extraInFlight: 'auto',
        recompute: 'none',
      },
      baseWeights: 'full',
      attention: 'scores',
      elementwise: 'auto',
    });
    expect(experiment.jobs).toEqual([
      {
        name: 'a',
        adapter: {
          type: 'lora',
          rank: 4,
          alpha: 8,
          dropout: 0,
          targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
        },
        optimizer: {
          type: 'adamw',
          learningRate: 1e-3,
          learningRateRatio: 1,
          maxGradientNorm: null,
          schedule: { type: 'constant', warmup: 0 },
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0.01,
        },
        data: { kind: 'synthetic', lengths: { type: 'fixed', length: 32 }, rows: 1000 },
        batchSize: 8,
        duration: { kind: 'epochs', epochs: 1 },
        evaluate: null,
        seed: 0,
        priority: 0,
        arrivalNs: 0,
      },
    ]);
  });

  it('may not choose kernels that a CPU core does not have', () => {
    expect(problemsOf({ ...minimal, baseWeights: 'nf4', attention: 'flash', elementwise: 'fuse' })).toEqual([
      'elementwise: is "fuse"; expected one of auto, eager, fused; did you mean fused?',
    ]);
    expect(problemsOf({ ...minimal, baseWeights: 'nf4', attention: 'flash', elementwise: 'fused' })).toEqual([
      'baseWeights: is nf4; a cpu-wasm device has full only',
      'attention: is flash; a cpu-wasm device has scores only',
      'elementwise: is fused; a cpu-wasm device has auto only',
    ]);
  });

  it('may name a preset', () => {
    expect(read({ ...minimal, model: 'Llama-3.1-8B' })).toMatchObject({
      model: MODEL_PRESETS.get('Llama-3.1-8B'),
      modelSource: { kind: 'preset' },
    });
  });

  it('cuts mini-batches into no more pieces than they have rows', () => {
    expect(read({ ...minimal, jobs: [{ ...job, batchSize: 1 }] }).schedule.microbatches).toBe(1);
  });

  it('cuts rows where the model’s positions end', () => {
    const data = { train: 'x.jsonl', prompt: '{{ q }}', completion: '{{ a }}' };
    expect(read({ ...minimal, jobs: [{ ...job, data }] }).jobs[0]!.data).toEqual({
      kind: 'files',
      ...data,
      format: 'template',
      heldout: null,
      split: 0,
      loss: 'completion',
      order: 'shuffled',
      maximumLength: 256,
    });
  });
});

describe('the cluster', () => {
  const gpu = { name: 'mine', fp32: '10 TFLOP/s', memory: '16 GiB', memoryBandwidth: '500 GB/s' };
  const interconnect = { type: 'pcie', bandwidth: '13.4 GB/s', latency: '5 us' };

  it('may be described in the file', () => {
    const cluster = {
      machines: [
        { gpu, count: 2, interconnect },
        { name: 'other', gpu: 'H100', interconnect },
      ],
      network: { bandwidth: '1 Gbit/s', latency: '50 us' },
    };
    const { cluster: built } = read({ ...minimal, cluster });
    expect(built.devices.map(({ name }) => name)).toEqual(['machine0/device0', 'machine0/device1', 'other/device0']);
    expect(built.devices[0]!.gpu).toEqual({
      name: 'mine',
      flopsPerSecond: { fp32: 10e12, tf32: 10e12, bf16: 10e12, fp16: 10e12 },
      memoryBytes: 16 * 2 ** 30,
      memoryBytesPerSecond: 500e9,
      source: 'experiment file',
    });
    expect(built.links.find(({ name }) => name === 'other network up')).toMatchObject({
      bytesPerSecond: 125e6,
      latencyNs: 50_000,
    });
  });

  it('must connect its devices', () => {
    const cluster = { machines: [{ gpu: 'H100', count: 2 }, { gpu }] };
    expect(problemsOf({ ...minimal, cluster })).toEqual([
      'cluster.network: is missing; nothing connects the 2 machines',
      'cluster.machines[0].interconnect: is missing; nothing connects the 2 devices',
    ]);
  });

  it('needs units', () => {
    const cluster = { machines: [{ gpu: 'H100', interconnect: { ...interconnect, bandwidth: 13.4, latency: 0 } }] };
    expect(problemsOf({ ...minimal, cluster })).toEqual([
      'cluster.machines[0].interconnect.bandwidth: is 13.4; expected a number with a unit like 25 GB/s, above 0 ' +
        '(units: TB/s, GB/s, MB/s, kB/s, B/s, Gbit/s, Mbit/s)',
    ]);
  });

  it('is found by its nearest name', () => {
    expect(problemsOf({ ...minimal, cluster: '4xA6000-pci' })[0]).toContain('did you mean 4xA6000-pcie?');
    expect(problemsOf({ ...minimal, cluster: { machines: [{ gpu: 'A100-81' }] } })[0]).toContain(
      'did you mean A100-80?',
    );
  });
});

describe('a job', () => {
  const problemsOfJob = (change: object): string[] => problemsOf({ ...minimal, jobs: [{ ...job, ...change }] });

  it('has a name that is safe as a folder', () => {
    for (const name of ['', '..', '.hidden', 'a/b', 'a\\b', 'a b', 'a.', 'x'.repeat(65), 7]) {
      expect(problemsOfJob({ name })).toHaveLength(1);
    }
    for (const name of ['a', '7', 'sums.v2', 'x'.repeat(64), 'a_b-c']) expect(problemsOfJob({ name })).toEqual([]);
  });

  it('has a name of its own, capitals aside', () => {
    expect(problemsOf({ ...minimal, jobs: [job, { ...job, name: 'b' }, { ...job, name: 'A' }] })).toEqual([
      'jobs[2].name: is "A", the name of jobs[0]',
    ]);
  });

  it('has a rank that fits every target module', () => {
    expect(problemsOfJob({ adapter: { rank: 33 } })).toEqual([
      'jobs[0].adapter.rank: is 33; expected at most the smaller side of k_proj (32 × 64)',
      'jobs[0].adapter.rank: is 33; expected at most the smaller side of v_proj (32 × 64)',
    ]);
    expect(problemsOfJob({ adapter: { rank: 64, targetModules: ['q_proj', 'down_proj'] } })).toEqual([]);
  });

  it('has modules that exist, each once', () => {
    expect(problemsOfJob({ adapter: { rank: 4, targetModules: ['q_prj'] } })).toEqual([
      'jobs[0].adapter.targetModules[0]: is "q_prj"; expected one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, ' +
        'down_proj; did you mean q_proj?',
    ]);
    expect(problemsOfJob({ adapter: { rank: 4, targetModules: ['q_proj', 'q_proj'] } })).toHaveLength(1);
    expect(problemsOfJob({ adapter: { rank: 4, targetModules: [] } })).toHaveLength(1);
  });

  it.each([
    ['dropout', { adapter: { rank: 4, dropout: 1 } }],
    ['alpha', { adapter: { rank: 4, alpha: 0 } }],
    ['learningRate', { optimizer: { learningRate: 0 } }],
    ['weightDecay', { optimizer: { weightDecay: -0.1 } }],
    ['beta2', { optimizer: { beta2: 1 } }],
    ['warmup', { optimizer: { schedule: { warmup: -1 } } }],
    ['schedule.type', { optimizer: { schedule: { type: 'step' } } }],
    ['momentum', { optimizer: { type: 'sgd', momentum: 1 } }],
    ['projectionSeed', { adapter: { type: 'vera', rank: 4, projectionSeed: 2 ** 32 } }],
    ['batchSize', { batchSize: 0 }],
    ['iterations', { iterations: 1.5 }],
    ['epochs', { epochs: -1 }],
    ['seed', { seed: -1 }],
    ['arrival', { arrival: '-3 s' }],
    ['rows', { data: { lengths: { type: 'fixed', length: 3 }, rows: 0 } }],
    ['sigma', { data: { lengths: { type: 'lognormal', mean: 3, sigma: 0, maximum: 4 } } }],
    ['length', { data: { lengths: { type: 'fixed', length: 0 } } }],
  ])('has %s in its range', (key, change) => {
    const problems = problemsOfJob(change);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^jobs\\[0\\]\\.([a-z]+\\.)*${key}: is .*; expected `));
  });

  it('lasts for iterations or for epochs', () => {
    expect(problemsOfJob({ iterations: 3, epochs: 2 })).toEqual([
      'jobs[0].iterations: is 3 beside epochs 2; expected one of the two',
    ]);
  });

  it('has rows from files or made-up ones', () => {
    const files = { train: 'x', prompt: 'p', completion: 'c' };
    expect(problemsOfJob({ data: { ...files, ...job.data } })[0]).toContain(
      'expected either train and its templates, or lengths and rows',
    );
    expect(problemsOfJob({ data: { train: 'x', format: 'chat', split: 0.1, heldout: 'y' } })).toEqual([
      'jobs[0].data.split: is 0.1; expected no split beside a held-out file',
    ]);
    expect(problemsOfJob({ data: { train: 'x', format: 'chatt', prompt: 'p', completion: 'c' } })[0]).toContain(
      'expected one of template, chat',
    );
    expect(problemsOfJob({ data: { train: 'x' } })).toEqual([
      'jobs[0].data.prompt: is missing; expected a text that is not empty',
      'jobs[0].data.completion: is missing; expected a text that is not empty',
    ]);
  });

  it('has held-out rows where they are to be evaluated during training', () => {
    const evaluate = { every: 10 };
    const data = { train: 'x.jsonl', prompt: 'p', completion: 'c' };
    const expected = 'jobs[0].evaluate: has no held-out rows to evaluate; expected data.heldout or data.split';
    expect(problemsOf({ ...minimal, jobs: [{ ...job, evaluate }] })).toEqual([expected]);
    expect(problemsOf({ ...minimal, jobs: [{ ...job, data, evaluate }] })).toEqual([expected]);
    expect(read({ ...minimal, jobs: [{ ...job, data: { ...data, split: 0.1 }, evaluate }] }).jobs[0]!.evaluate).toEqual(evaluate);
  });

  it('has rows within the model’s positions', () => {
    expect(problemsOfJob({ data: { lengths: { type: 'uniform', minimum: 1, maximum: 257 } } })).toEqual([
      "jobs[0].data.lengths.maximum: is 257; expected at most the model's 256 positions",
    ]);
    expect(problemsOfJob({ data: { train: 'x', prompt: 'p', completion: 'c', maximumLength: 257 } })).toHaveLength(1);
    expect(problemsOfJob({ data: { lengths: { type: 'uniform', minimum: 9, maximum: 8 } } })[0]).toContain(
      'not above the maximum',
    );
    expect(problemsOfJob({ data: { lengths: { type: 'normal' } } })[0]).toContain(
      'one of fixed, uniform, lognormal; did you mean lognormal?',
    );
  });

  it('has at least a row for every microbatch', () => {
    expect(problemsOf({ ...minimal, schedule: { microbatches: 4 }, jobs: [{ ...job, batchSize: 3 }] })).toEqual([
      'jobs[0].batchSize: is 3; expected at least schedule.microbatches, 4',
    ]);
  });
});

describe('sections', () => {
  it('must fit each other', () => {
    expect(problemsOf({ ...minimal, cluster: '8xH100-nvlink', schedule: { groups: 2 } })).toEqual([
      'schedule.groups: is 2; expected at most the number of jobs, 1',
      'cluster: has 8 devices; expected at most 4, one for each layer of the model',
    ]);
  });

  it('are judged apart: all their problems come at once', () => {
    const paths = problemsOf({
      naem: 'x',
      precision: 'fp33',
      model: 'Llama-2-7b-chat',
      cluster: 'nowhere',
      schedule: { type: 'zb' },
      jobs: [{ ...job, adapter: {} }, 7, { ...job, batchSize: 'many' }],
    }).map((line) => line.split(':')[0]);
    expect(paths).toEqual([
      'name',
      'precision',
      'naem',
      'model',
      'cluster',
      'jobs[0].adapter.rank',
      'jobs[1]',
      'jobs[2].batchSize',
      'schedule.type',
    ]);
  });

  it('that are missing are named', () => {
    expect(problemsOf({}).map((line) => line.split(';')[0])).toEqual([
      'name: is missing',
      'jobs: is missing',
      'model: is missing',
      'cluster: is missing',
    ]);
    expect(problemsOf({ ...minimal, jobs: [] })).toEqual(['jobs: is []; expected at least one job']);
    expect(problemsOf(null)).toEqual([': is null; expected the sections of an experiment']);
  });

  it('pass on what is wrong with the model’s folder', () => {
    expect(problemsOf({ ...minimal, model: './none' })).toEqual(['model: ./none has no config.json']);
    const gpt = resolveExperiment(minimal, { readModelConfig: () => E.right({ model_type: 'gpt2' }) });
    expect(E.isLeft(gpt) && gpt.left[0].path).toBe('model (config.json: architectures)');
  });
});

describe('YAML', () => {
  it('is read with every value the notation allows', () => {
    const text = [
      'name: test',
      'model: ./tiny',
      'cluster: 2xcpu',
      'schedule: 1f1b',
      'jobs:',
      '  - { name: a, adapter: { rank: 4 }, data: { lengths: { type: fixed, length: 3 } }, arrival: 30s,',
      '      optimizer: { learningRate: 1e-4 } }',
    ].join('\n');
    const experiment = readExperiment(text, context);
    expect(E.isRight(experiment) && experiment.right.jobs[0]).toMatchObject({
      arrivalNs: 30e9,
      optimizer: { learningRate: 0.0001 },
    });
  });

  it('with mistakes is reported by line', () => {
    const experiment = readExperiment('name: x\nmodel: }\n', context);
    expect(E.isLeft(experiment) && experiment.left[0].message).toMatch(/^line 2, column 8: /);
    const twice = readExperiment('name: x\nname: y\n', context);
    expect(E.isLeft(twice) && twice.left[0].message).toMatch(/^line 2, column 1: .*unique/);
  });

  it('that explodes through aliases is refused', () => {
    const level = (index: number) =>
      `l${index}: &l${index} [${Array<string>(10)
        .fill(`*l${index - 1}`)
        .join(', ')}]`;
    const bomb = ['l0: &l0 [x, x]', ...Array.from({ length: 8 }, (_, index) => level(index + 1))].join('\n');
    const experiment = readExperiment(bomb, context);
    expect(E.isLeft(experiment) && experiment.left[0].message).toContain('alias');
  });

  it('of any kind gives an experiment or problems, never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => E.isLeft(readExperiment(text, context)),
      ),
      { numRuns: 300 },
    );
  });
});
