import { embeddingParameters, layerParameters, linearShape, MODULE_NAMES, type Model, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { scoreElements } from './attention.ts';
import { adaptedModules, adapterFrozenParameters, adapterLayerParameters } from './lora.ts';
import { adapterOf, headTokens, shapeSize, type StageContent, type WorkSetting } from './setting.ts';

/** Bytes of hidden states, or of their gradients, between two stages. */
export const transferBytes = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shapeSize(shape).tokens * setting.model.hiddenSize * setting.elementBytes;

/** Bytes of a stage's frozen weights; a tied LM head costs a second copy where it is on another stage. */
export const baseWeightBytes = (setting: WorkSetting, content: StageContent): number => {
  const { model } = setting;
  if (setting.elementwise === 'tfjs') return setting.elementBytes * executorWeights(setting, content);
  const separateHead = content.head && !(model.tiedEmbeddings && content.embedding);
  const parameters =
    content.layerCount * layerParameters(model) +
    (content.embedding ? embeddingParameters(model) : 0) +
    (separateHead ? embeddingParameters(model) : 0) +
    (content.head ? model.hiddenSize : 0);
  return parameters * setting.elementBytes;
};

/**
 * Elements of a stage's frozen tensors in the executor: every product's weight in both orientations, because the wasm
 * backend multiplies transposed operands slowly, and the matrix that rotates half a head.
 */
const executorWeights = ({ model }: WorkSetting, content: StageContent): number => {
  const products = MODULE_NAMES.reduce((sum, module) => sum + moduleElements(model, module), 0);
  return (
    content.layerCount * (layerParameters(model) + products) +
    (content.embedding ? embeddingParameters(model) : 0) +
    (content.head ? 2 * embeddingParameters(model) + model.hiddenSize : 0) +
    model.headSize * model.headSize
  );
};

const moduleElements = (model: Model, module: ModuleName): number => {
  const { inputSize, outputSize } = linearShape(model, module);
  return inputSize * outputSize;
};

/** Values that an optimizer remembers for every parameter. */
const optimizerVectors = ({ optimizers }: WorkSetting, adapter: number): number => {
  const optimizer = optimizers?.[adapter];
  if (optimizer?.type !== 'sgd') return 2;
  return optimizer.momentum === 0 ? 0 : 1;
};

/**
 * Bytes of one adapter's state on a stage: fp32 weight, gradient and Adam's two moments, 16 a parameter (Rajbhandari et
 * al. 2020, ZeRO, section 3.1); SGD remembers less, VeRA's projections are held beside.
 */
export const adapterStateBytes = (
  setting: WorkSetting,
  content: StageContent,
  adapter: number,
): { readonly adapters: number; readonly gradients: number; readonly optimizer: number } => {
  const held = adapterOf(setting, { adapter });
  const parameters = content.layerCount * adapterLayerParameters(setting, held);
  const frozen = adapterFrozenParameters(setting, held);
  return { adapters: 4 * (parameters + frozen), gradients: 4 * parameters, optimizer: 4 * optimizerVectors(setting, adapter) * parameters };
};

/**
 * Bytes a stage keeps from a microbatch's forward for its backward, counted as in Korthikanti et al. 2022 (Reducing
 * Activation Recomputation, section 4.1) but with frozen weights, whose inputs are not kept. Per layer and token 6h + 2k +
 * 3f elements with every module adapted, flash attention and fused kernels (+ 6h + f with dropout), which is within 5 % of
 * LoRAFusion's measured 8B and 32B layers; 7h + 3f and the score matrix in the mLoRA paper's setting. On the last stage
 * also the input of the final norm and the log-probabilities.
 */
export const savedBytes = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): number => {
  const { hiddenSize, vocabularySize } = setting.model;
  const head = content.head ? headTokens(setting, shape) * (hiddenSize + vocabularySize) : 0;
  const once = setting.elementwise === 'tfjs' ? executorSharedElements(setting, shape) : 0;
  return setting.elementBytes * (content.layerCount * layerSavedElements(setting, shape) + head + once);
};

/** What the executor's layers share: a mask per attention block, cosines and sines per token. */
const executorSharedElements = ({ model }: WorkSetting, shape: MicrobatchShape): number => {
  const { tokens, squaredTokens } = shapeSize(shape);
  return (model.headCount / model.keyValueHeadCount) * squaredTokens + 2 * tokens * model.headSize;
};

/** Elements kept of one layer: what the derivatives of its operations refer to. */
const layerSavedElements = (setting: WorkSetting, shape: MicrobatchShape): number => {
  const { hiddenSize, intermediateSize, headCount, keyValueHeadCount, headSize } = setting.model;
  const { tokens, squaredTokens } = shapeSize(shape);
  const executor = setting.elementwise === 'tfjs';
  const adapted = adaptedModules(setting, shape);
  const has = (...modules: ModuleName[]): number => (modules.some((module) => adapted.includes(module)) ? 1 : 0);
  const flash = setting.attention === 'flash';
  const normInputs = 2 * hiddenSize;
  // The executor keeps what norms divide by and makes their outputs, like SwiGLU's product, again.
  const normOutputs = executor ? 2 : hiddenSize * (has('q_proj', 'k_proj', 'v_proj') + has('gate_proj', 'up_proj'));
  const queriesKeysValues = (headCount + 2 * keyValueHeadCount) * headSize;
  const attentionOutput = flash || executor ? headCount * headSize : headCount * headSize * has('o_proj');
  const gateAndUp = (setting.elementwise === 'fused' ? 2 : 3) * intermediateSize;
  const product = executor ? 0 : intermediateSize * has('down_proj');
  const perToken = normInputs + normOutputs + queriesKeysValues + attentionOutput + gateAndUp + product;
  const attention = flash ? tokens * headCount : scoreElements(setting, squaredTokens);
  return tokens * perToken + attention + loraSavedElements(setting, shape);
};

/** Elements kept for the adapters of one layer: x·A, the masked input where there is dropout, DoRA's (W + scale·B·A)x. */
const loraSavedElements = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shape.parts.reduce((sum, part) => {
    const adapter = adapterOf(setting, part);
    const widths = adapter.targetModules.map((module) => linearShape(setting.model, module).inputSize);
    const masked = adapter.dropout > 0 ? widths.reduce((total, width) => total + width, 0) : 0;
    const directions =
      adapter.type === 'dora'
        ? adapter.targetModules.reduce((total, module) => total + linearShape(setting.model, module).outputSize, 0)
        : 0;
    return sum + part.tokens * (masked + adapter.rank * widths.length + directions);
  }, 0);

/**
 * Bytes alive only while an op runs, beyond what is saved: the largest step's temporaries. Eager attention holds raw and
 * masked scores beside the saved ones in forward, and three score-sized gradients in backward; the rest is what one norm,
 * SwiGLU or LM head holds at once.
 */
export const temporaryBytes = (
  setting: WorkSetting,
  content: StageContent,
  shape: MicrobatchShape,
): { readonly forward: number; readonly backward: number } => {
  const { hiddenSize, intermediateSize, vocabularySize } = setting.model;
  const { tokens, squaredTokens } = shapeSize(shape);
  const scores = setting.attention === 'flash' ? 0 : scoreElements(setting, squaredTokens);
  const layers = (scoreMatrices: number, hiddens: number): number =>
    content.layerCount === 0 ? 0 : Math.max(scoreMatrices * scores, tokens * (hiddens * hiddenSize + 2 * intermediateSize));
  const head = content.head ? headTokens(setting, shape) * vocabularySize : 0;
  return {
    forward: setting.elementBytes * Math.max(layers(2, 2), head),
    backward: setting.elementBytes * Math.max(layers(3, 3), head),
  };
};
