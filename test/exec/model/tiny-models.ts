import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import type { Adapter, AdamW, LoraAdapter, VeraAdapter } from '../../../core/job.ts';
import { MODULE_NAMES, type Model } from '../../../core/model/model.ts';
import type { TensorSource } from '../../../exec/checkpoint/checkpoint.ts';
import { stageTensors } from '../../../exec/checkpoint/model-tensors.ts';
import { type BatchPart, NO_TARGET, type PackedBatch, type Row } from '../../../exec/packed-batch.ts';
import type { AdapterSetup } from '../../../exec/stage.ts';

export const tinyModel = (changes: Partial<Model> = {}): Model => ({
  name: 'tiny',
  architecture: 'llama',
  hiddenSize: 12,
  intermediateSize: 20,
  layerCount: 2,
  headCount: 4,
  keyValueHeadCount: 2,
  headSize: 6,
  vocabularySize: 17,
  maxPositions: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10000,
  ropeScaling: { type: 'none' },
  attentionBias: false,
  tiedEmbeddings: false,
  ...changes,
});

/** Uniform numbers in ±range from a seed. */
export const randomValues = (size: number, seed: number, range = 1): Float32Array => {
  const generator = xoroshiro128plus(seed);
  return Float32Array.from({ length: size }, () => (2 * uniformFloat32(generator) - 1) * range);
};

/** A whole model's weights: norms around one, matrices small enough to keep activations near one. */
export const randomWeights = (
  model: Model,
  seed: number,
): ReadonlyMap<string, { shape: readonly number[]; values: Float32Array }> =>
  new Map(
    stageTensors(model, { first: 0, end: model.layerCount }).map(([name, shape], index) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const values = randomValues(
        size,
        seed * 1000 + index,
        name.includes('norm') ? 0.5 : 1.5 / Math.sqrt(shape.at(-1)!),
      );
      return [name, { shape, values: name.includes('norm') ? values.map((value) => 1 + value) : values }];
    }),
  );

export const sourceOf = (weights: ReturnType<typeof randomWeights>): TensorSource => ({
  names: [...weights.keys()],
  shape: (name) => weights.get(name)?.shape,
  read: (name) => Promise.resolve(E.right(weights.get(name)!.values)),
});

export const adamW = (changes: Partial<AdamW> = {}): AdamW => ({
  type: 'adamw',
  learningRate: 1e-3,
  learningRateRatio: 1,
  maxGradientNorm: null,
  schedule: { type: 'constant', warmup: 0 },
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  ...changes,
});

export const setupOf = (
  index: number,
  adapter: Partial<LoraAdapter> | VeraAdapter = {},
  changes: Partial<AdapterSetup> = {},
): AdapterSetup => ({
  index,
  name: `adapter-${index}`,
  adapter:
    adapter.type === 'vera'
      ? adapter
      : { type: 'lora', rank: 2, alpha: 4, dropout: 0, targetModules: ['q_proj', 'v_proj'], ...adapter },
  optimizer: adamW(),
  iterations: 1000,
  seed: 100 + index,
  ...changes,
});

/** A training row of random tokens; every position from `prompt` on predicts a random token. */
export const randomRow = (model: Model, length: number, prompt: number, seed: number): Row => {
  const token = (value: number): number =>
    Math.min(Math.floor(((value + 1) / 2) * model.vocabularySize), model.vocabularySize - 1);
  return {
    tokens: Int32Array.from(randomValues(length, seed), token),
    targets: Int32Array.from(randomValues(length, seed + 1), (value, place) =>
      place < prompt ? NO_TARGET : token(value),
    ),
  };
};

export const batchOf = (microbatch: number, parts: readonly BatchPart[]): PackedBatch => ({ microbatch, parts });

export const partOf = (adapter: number, rows: readonly Row[]): BatchPart => {
  const targets = rows.flatMap((row) => [...row.targets]).filter((target) => target !== NO_TARGET).length;
  return { adapter, rows, lossScale: 1 / Math.max(targets, 1) };
};

/** Models of all the shapes that change the code path: grouped heads, biases, tied head, RoPE scalings. */
export const arbitraryModel: fc.Arbitrary<Model> = fc
  .record({
    hiddenSize: fc.integer({ min: 4, max: 10 }),
    intermediateSize: fc.integer({ min: 2, max: 12 }),
    layerCount: fc.integer({ min: 1, max: 3 }),
    keyValueHeadCount: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    pairs: fc.integer({ min: 1, max: 3 }),
    vocabularySize: fc.integer({ min: 3, max: 20 }),
    attentionBias: fc.boolean(),
    tiedEmbeddings: fc.boolean(),
    ropeScaling: fc.constantFrom<Model['ropeScaling']>(
      { type: 'none' },
      { type: 'linear', factor: 2 },
      { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 16 },
    ),
  })
  .map(({ group, pairs, ...sizes }) =>
    tinyModel({ ...sizes, headCount: sizes.keyValueHeadCount * group, headSize: 2 * pairs }),
  );

const basics = {
  rank: fc.integer({ min: 1, max: 3 }),
  dropout: fc.constantFrom(0, 0.4),
  targetModules: fc.subarray([...MODULE_NAMES], { minLength: 1 }),
};

export const arbitraryAdapter: fc.Arbitrary<Adapter> = fc.oneof(
  fc.record({
    type: fc.constantFrom<LoraAdapter['type']>('lora', 'rslora', 'dora', 'dora'),
    alpha: fc.integer({ min: 1, max: 8 }),
    ...basics,
  }),
  fc.record({
    type: fc.constant('vera' as const),
    projectionSeed: fc.nat(1000),
    initialScale: fc.constantFrom(0.1, 1),
    ...basics,
  }),
);

/** Lengths and prompt lengths of the rows of one part. */
export const arbitraryRows = fc.array(
  fc.record({ length: fc.integer({ min: 1, max: 6 }), prompt: fc.integer({ min: 0, max: 4 }) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);
