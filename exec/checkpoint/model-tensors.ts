import { type Model, MODULE_NAMES, type ModuleName, linearShape } from '../../core/model/model.ts';
import { type Problem, problem, show } from '../../core/problem.ts';
import type { TensorSource } from './checkpoint.ts';

export const EMBEDDING_TENSOR = 'model.embed_tokens.weight';
export const FINAL_NORM_TENSOR = 'model.norm.weight';
export const HEAD_TENSOR = 'lm_head.weight';

/** A contiguous range of decoder layers; `end` is exclusive. */
export interface LayerRange {
  readonly first: number;
  readonly end: number;
}

const block = (module: ModuleName): string =>
  module === 'gate_proj' || module === 'up_proj' || module === 'down_proj' ? 'mlp' : 'self_attn';

/** A linear module's path in the model, e.g. `model.layers.3.self_attn.q_proj`. */
export const modulePath = (layer: number, module: ModuleName): string =>
  `model.layers.${layer}.${block(module)}.${module}`;

export const isFirstStage = (range: LayerRange): boolean => range.first === 0;
export const isLastStage = (model: Model, range: LayerRange): boolean => range.end === model.layerCount;

/** Name of the LM head's matrix [vocabulary, hidden]: the embedding where the two are tied. */
export const headTensor = (model: Model): string => (model.tiedEmbeddings ? EMBEDDING_TENSOR : HEAD_TENSOR);

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];

/** Names and shapes of the tensors that a stage needs, as Hugging Face checkpoints store them ([out, in] for linears). */
export const stageTensors = (model: Model, range: LayerRange): Shapes => {
  const table = [model.vocabularySize, model.hiddenSize];
  const shapes = new Map<string, readonly number[]>();
  if (isFirstStage(range)) shapes.set(EMBEDDING_TENSOR, table);
  for (let layer = range.first; layer < range.end; layer++) {
    for (const [name, shape] of layerTensors(model, layer)) shapes.set(name, shape);
  }
  if (isLastStage(model, range)) shapes.set(FINAL_NORM_TENSOR, [model.hiddenSize]).set(headTensor(model), table);
  return [...shapes];
};

const layerTensors = (model: Model, layer: number): Shapes => [
  [`model.layers.${layer}.input_layernorm.weight`, [model.hiddenSize]],
  [`model.layers.${layer}.post_attention_layernorm.weight`, [model.hiddenSize]],
  ...MODULE_NAMES.flatMap((module) => moduleTensors(model, layer, module)),
];

const moduleTensors = (model: Model, layer: number, module: ModuleName): Shapes => {
  const { inputSize, outputSize } = linearShape(model, module);
  const path = modulePath(layer, module);
  const weight = [`${path}.weight`, [outputSize, inputSize]] as const;
  return hasBias(model, module) ? [weight, [`${path}.bias`, [outputSize]]] : [weight];
};

/** Whether a module adds a bias: q, k and v of models with `attentionBias`. */
export const hasBias = (model: Model, module: ModuleName): boolean =>
  model.attentionBias && (module === 'q_proj' || module === 'k_proj' || module === 'v_proj');

/** Everything about a checkpoint that does not fit the model on these layers: absent, misshapen and unknown tensors. */
export const checkModelTensors = (model: Model, range: LayerRange, source: TensorSource): Problem[] => {
  const expected = new Map(stageTensors(model, range));
  const wrong = [...expected].flatMap(([name, shape]) => checkTensor(name, shape, source.shape(name)));
  return [...wrong, ...source.names.filter((name) => isForeign(name, range, expected)).map(foreign)];
};

const checkTensor = (name: string, expected: readonly number[], found: readonly number[] | undefined): Problem[] => {
  if (found === undefined) return [problem(name, `the tensor is missing; expected shape ${show(expected)}`)];
  return show(found) === show(expected)
    ? []
    : [problem(name, `has shape ${show(found)}; the model's config gives ${show(expected)}`)];
};

/** Weights we would silently leave out make a different model; stored rotary frequencies are derived values. */
const isForeign = (name: string, { first, end }: LayerRange, expected: ReadonlyMap<string, unknown>): boolean => {
  const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? NaN);
  return layer >= first && layer < end && !expected.has(name) && !name.endsWith('.rotary_emb.inv_freq');
};

const foreign = (name: string): Problem =>
  problem(name, 'no such weight is known in a layer of this architecture; it would be ignored');
