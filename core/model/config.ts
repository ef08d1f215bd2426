import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { positiveNumber, wholeNumber } from '../leaves.ts';
import { problem, show, type Problem, type Problems } from '../problem.ts';
import { isRecord, leaf, oneOf, readStructure } from '../structure.ts';
import type { Architecture, Model } from './model.ts';
import { ropeScaling } from './rope-config.ts';

/** What transformers assumes where a config.json is silent (its configuration_llama, _mistral and _qwen2). */
interface Family {
  readonly architecture: Architecture;
  readonly maxPositions: number;
  /** null: as many as query heads. */
  readonly keyValueHeadCount: number | null;
  /** Positions a token sees at most; null: all before it. */
  readonly slidingWindow: number | null;
}

const FAMILIES: ReadonlyMap<unknown, Family> = new Map([
  ['LlamaForCausalLM', { architecture: 'llama', maxPositions: 2048, keyValueHeadCount: null, slidingWindow: null }],
  ['MistralForCausalLM', { architecture: 'mistral', maxPositions: 131_072, keyValueHeadCount: 8, slidingWindow: 4096 }],
  ['Qwen2ForCausalLM', { architecture: 'qwen2', maxPositions: 32_768, keyValueHeadCount: 32, slidingWindow: 4096 }],
]);

/** transformers writes null for "not set". */
const orElse = <T>(schema: z.ZodType<T>, otherwise: T): z.ZodType<T> =>
  schema.nullish().transform((value) => value ?? otherwise);

const off = (expected: string) => leaf<unknown>(expected, (value) => value === false).nullish();

/** Bounds keep a broken file from costing memory: stage cuts and checkpoint indices are built from these numbers. */
const size = wholeNumber(1, 10_000_000);
const layerCount = wholeNumber(1, 1000);

const configSchema = z.looseObject({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: size.nullish(),
  rms_norm_eps: orElse(positiveNumber, 1e-6),
  rope_theta: orElse(positiveNumber, 10_000),
  rope_scaling: orElse(ropeScaling, { type: 'none' }),
  tie_word_embeddings: orElse(z.boolean(), false),
  use_sliding_window: orElse(z.boolean(), false),
  sliding_window: size.nullish(),
  hidden_act: orElse(oneOf(['silu', 'swish'] as const), 'silu'),
  attention_bias: off('expected false: a bias on all attention projections is not supported'),
  mlp_bias: off('expected false: a bias in the feed-forward block is not supported'),
  quantization_config: off('expected none: quantised checkpoints are not supported'),
});

type Config = z.output<typeof configSchema>;

/** Since transformers 5 `rope_parameters` holds what `rope_scaling` and `rope_theta` held. */
const withRopeApart = (json: Readonly<Record<string, unknown>>): unknown => {
  const rope = json.rope_parameters;
  return isRecord(rope) ? { ...json, rope_scaling: rope, rope_theta: rope.rope_theta ?? json.rope_theta } : json;
};

/** Up to its window's length a windowed attention is a full one: longer rows are ruled out, and the window forgotten. */
const visiblePositions = (config: Config, family: Family): number => {
  const positions = config.max_position_embeddings ?? family.maxPositions;
  if (family.architecture === 'qwen2' && !config.use_sliding_window) return positions;
  const window = config.sliding_window === undefined ? family.slidingWindow : config.sliding_window;
  return Math.min(positions, window ?? positions);
};

const keyValueHeads = (config: Config, family: Family): number => {
  const given = config.num_key_value_heads;
  return (given === undefined ? family.keyValueHeadCount : given) ?? config.num_attention_heads;
};

const modelOf = (name: string, config: Config, family: Family): Model => ({
  name,
  architecture: family.architecture,
  hiddenSize: config.hidden_size,
  intermediateSize: config.intermediate_size,
  layerCount: config.num_hidden_layers,
  headCount: config.num_attention_heads,
  keyValueHeadCount: keyValueHeads(config, family),
  headSize: config.head_dim ?? config.hidden_size / config.num_attention_heads,
  vocabularySize: config.vocab_size,
  maxPositions: visiblePositions(config, family),
  rmsNormEpsilon: config.rms_norm_eps,
  ropeTheta: config.rope_theta,
  ropeScaling: config.rope_scaling,
  attentionBias: family.architecture === 'qwen2',
  tiedEmbeddings: config.tie_word_embeddings,
});

const headProblems = ({ hiddenSize, headCount, keyValueHeadCount, headSize }: Model): Problem[] => {
  const problems: Problem[] = [];
  if (!Number.isInteger(headSize)) {
    problems.push(
      problem('num_attention_heads', `is ${headCount}; expected a divisor of hidden_size ${hiddenSize}, or head_dim`),
    );
  } else if (headSize % 2 !== 0) {
    problems.push(problem('head_dim', `is ${headSize}; expected an even number, as rotary positions turn pairs`));
  }
  if (headCount % keyValueHeadCount !== 0) {
    const expected = `expected a divisor of num_attention_heads ${headCount}`;
    problems.push(problem('num_key_value_heads', `is ${keyValueHeadCount}; ${expected}`));
  }
  return problems;
};

const CLASS_OF_TYPE: ReadonlyMap<unknown, string> = new Map([
  ['llama', 'LlamaForCausalLM'],
  ['mistral', 'MistralForCausalLM'],
  ['qwen2', 'Qwen2ForCausalLM'],
]);

const findFamily = (json: unknown): E.Either<Problems, Family> => {
  if (!isRecord(json)) return E.left([problem('', `is ${show(json)}; expected the object of a config.json`)]);
  const listed: unknown = Array.isArray(json.architectures) ? json.architectures[0] : undefined;
  const name = listed ?? CLASS_OF_TYPE.get(json.model_type) ?? json.model_type;
  const family = FAMILIES.get(name);
  if (family !== undefined) return E.right(family);
  return E.left([problem('architectures', `is ${show(name)}; supported are ${[...FAMILIES.keys()].join(', ')}`)]);
};

/**
 * A model from the parsed `config.json` of a Hugging Face checkpoint, with transformers' defaults. Widths, heads,
 * layers and vocabulary must be there. Left: everything unsupported or wrong, by the keys of the file.
 */
export const parseModelConfig = (name: string, json: unknown): E.Either<Problems, Model> => {
  const family = findFamily(json);
  if (E.isLeft(family)) return family;
  const config = readStructure(configSchema, isRecord(json) ? withRopeApart(json) : json);
  if (E.isLeft(config)) return config;
  const model = modelOf(name, config.right, family.right);
  const problems = headProblems(model);
  return isNonEmpty(problems) ? E.left(problems) : E.right(model);
};
