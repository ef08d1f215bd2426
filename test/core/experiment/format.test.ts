import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatExperiment, relocateExperiment } from '../../../core/experiment/format.ts';
import { readExperiment } from '../../../core/experiment/read.ts';
import { MODULE_NAMES } from '../../../core/model/model.ts';
import { context, job, minimal, read } from './file.ts';

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const positive = fc.double({ min: 1e-9, max: 1e3, noNaN: true });
const size = fc.integer({ min: 1, max: 1e12 });
const text = fc.string({ minLength: 1, unit: 'binary' });
const speed = {
  bandwidth: size.map((value) => `${value} B/s`),
  latency: fc.nat(1e9).map((value) => (value === 0 ? 0 : `${value} ns`)),
};

const gpu = fc.oneof(
  fc.constantFrom('H100', 'RTX A6000', 'cpu-wasm'),
  fc.record({
    name: text,
    fp32: size.map((value) => `${value} FLOP/s`),
    bf16: optional(positive.map((value) => `${value} TFLOP/s`)),
    memory: size.map((value) => `${value} B`),
    memoryBandwidth: positive.map((value) => `${value} GB/s`),
  }),
);

const machine = fc.oneof(
  fc.record({ gpu, count: fc.constantFrom(1, 2), interconnect: fc.record({ type: fc.constantFrom('pcie', 'nvlink'), ...speed }) }),
  fc.record({ gpu, count: fc.constant(2), interconnect: fc.record({ type: fc.constant('pcie'), ...speed }), accelerators: fc.constant([0, 0]) }),
);

/** Kernels can be chosen on GPUs only. */
const gpuCluster = fc.oneof(fc.constant('4xA6000-pcie'), fc.record({
  name: text,
  machines: fc.tuple(
    fc.record({
      gpu: fc.constantFrom('H100', 'RTX A6000'),
      count: fc.constantFrom(1, 2),
      interconnect: fc.record({ type: fc.constant('pcie'), ...speed, hostMemory: optional(positive.map((value) => `${value} GB/s`)) }),
    }),
  ),
}));

const cluster = fc.oneof(
  fc.constantFrom('2xcpu', '4xA6000-pcie'),
  fc.record({ name: text, machines: fc.array(machine, { minLength: 1, maxLength: 2 }), network: fc.record(speed) }),
);

const schedule = fc.oneof(
  fc.record({ type: fc.constantFrom('gpipe', '1f1b', 'lorapp'), microbatches: fc.constantFrom(1, 2), setting: fc.constantFrom('fair', 'released') }),
  fc.record({ type: fc.constantFrom('zb-h1', 'single', 'data-parallel', 'instances'), microbatches: fc.constant(1) }),
  fc.record({ type: fc.constant('fsdp'), prefetch: fc.constantFrom('both', 'forward', 'none'), reshard: fc.boolean(), gatherFp32: fc.boolean(), batch: fc.constantFrom('global', 'perRank') }),
  fc.record({
    microbatches: fc.constantFrom(1, 2),
    order: optional(fc.constantFrom('1f1b', 'gpipe')),
    release: optional(fc.constantFrom('staggered', 'greedy')),
    groups: fc.constantFrom('auto', 1),
    extraInFlight: fc.constantFrom('auto', 0, 3),
    recompute: optional(fc.constantFrom('none', 'full', 'auto')),
  }),
);

const length = fc.integer({ min: 1, max: 256 });
const lengths = fc.oneof(
  length.map((value) => ({ type: 'fixed', length: value })),
  fc.tuple(length, length).map(([a, b]) => ({ type: 'uniform', minimum: Math.min(a, b), maximum: Math.max(a, b) })),
  fc.record({ type: fc.constant('lognormal'), mean: positive, sigma: positive, maximum: length }),
);

const data = fc.oneof(
  fc.record({ lengths, rows: fc.integer({ min: 1, max: 1e6 }) }),
  fc.record({
    train: text,
    heldout: optional(text),
    loss: optional(fc.constantFrom('completion', 'all')),
    prompt: text,
    completion: text,
    maximumLength: length,
  }),
  fc.record({
    train: text,
    format: fc.constant('chat'),
    split: optional(fc.constantFrom(0, 0.25)),
    order: optional(fc.constantFrom('shuffled', 'length')),
    maximumLength: length,
  }),
);

const duration = fc.oneof(
  positive.map((epochs) => ({ epochs })),
  fc.integer({ min: 1, max: 1e9 }).map((iterations) => ({ iterations })),
);

const anyJob = fc
  .record({
    adapter: fc.record({
      type: fc.constantFrom('lora', 'rslora'),
      rank: fc.integer({ min: 1, max: 32 }),
      alpha: optional(positive),
      dropout: fc.double({ min: 0, max: 0.99, noNaN: true }),
      targetModules: fc.subarray([...MODULE_NAMES], { minLength: 1 }),
    }),
    optimizer: fc.record({ learningRate: positive, epsilon: optional(positive) }),
    data,
    // A row for each of the four devices that a cluster here has at most.
    batchSize: fc.integer({ min: 4, max: 64 }),
    seed: fc.nat(2 ** 31 - 1),
    priority: fc.integer({ min: -5, max: 5 }),
    arrival: fc.nat(1e12).map((value) => (value === 0 ? 0 : `${value} ns`)),
  })
  .chain((fields) => duration.map((given) => ({ ...fields, ...given })));

/** undefined stands for a key that is not in the file. */
const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const common = {
  name: text,
  model: fc.constant('./tiny'),
  precision: optional(fc.constantFrom('fp32', 'bf16')),
  schedule,
  jobs: fc
    .array(anyJob, { minLength: 1, maxLength: 3 })
    .map((jobs) => jobs.map((each, index) => ({ name: `job-${index}`, ...each }))),
};

const file = fc
  .oneof(
    fc.record({ ...common, cluster }),
    fc.record({
      ...common,
      cluster: gpuCluster,
      baseWeights: optional(fc.constantFrom('full', 'int8', 'nf4')),
      attention: optional(fc.constantFrom('scores', 'flash')),
      elementwise: optional(fc.constantFrom('auto', 'eager', 'fused')),
    }),
  )
  .map(withoutUndefined);

describe('a formatted experiment', () => {
  it('reads as the same experiment, whatever it says', () => {
    fc.assert(
      fc.property(file, (written) => {
        const experiment = read(written);
        expect(readExperiment(formatExperiment(experiment), context)).toEqual(E.right(experiment));
      }),
    );
  });

  it('says every default and the figures of presets, not their names', () => {
    const formatted = formatExperiment(read(minimal));
    for (const line of [
      'precision: fp32',
      'release: staggered',
      'rank: 4',
      'alpha: 8',
      'beta2: 0.999',
      'fp32: 24 GFLOP/s',
      'memory: 4 GiB',
      'bandwidth: 1 GB/s',
    ]) {
      expect(formatted).toContain(line);
    }
    expect(formatted).toContain('model: ./tiny');
  });

  it('names a preset model and leaves out options of other schedules', () => {
    const formatted = formatExperiment(read({ ...minimal, model: 'SmolLM2-135M', schedule: 'gpipe' }));
    expect(formatted).toContain('model: SmolLM2-135M');
    expect(formatted).not.toContain('release');
  });
});

describe('a relocated experiment', () => {
  it('has every path changed and nothing else', () => {
    const files = { train: 'a.jsonl', heldout: 'b.jsonl', prompt: 'p', completion: 'c' };
    const experiment = read({
      ...minimal,
      jobs: [
        { ...job, data: files },
        { ...job, name: 'b' },
      ],
    });
    const moved = relocateExperiment(experiment, (path) => `up/${path}`);
    expect(moved.modelSource).toEqual({ kind: 'folder', path: 'up/./tiny' });
    expect(moved.jobs[0]!.data).toMatchObject({ train: 'up/a.jsonl', heldout: 'up/b.jsonl', prompt: 'p' });
    expect(moved.jobs[1]).toEqual(experiment.jobs[1]);
  });

  it('says a folder so that it cannot be a preset’s name', () => {
    const moved = relocateExperiment(read(minimal), () => 'model');
    expect(formatExperiment(moved)).toContain('model: ./model');
  });
});
