import { embeddingParameters, layerParameters, linearShape, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { scoreElements } from './attention.ts';
import { adaptedModules, adapterLayerParameters } from './lora.ts';
import { adapterOf, shapeSize, type StageContent, type WorkSetting } from './setting.ts';

/** Bytes of hidden states, or of their gradients, between two stages. */
export const transferBytes = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shapeSize(shape).tokens * setting.model.hiddenSize * setting.elementBytes;

/** Bytes of a stage's frozen weights; a tied LM head costs a second copy where it is on another stage. */
export const baseWeightBytes = (setting: WorkSetting, content: StageContent): number => {
  const { model } = setting;
  const separateHead = content.head && !(model.tiedEmbeddings && content.embedding);
  const parameters =
    content.layerCount * layerParameters(model) +
    (content.embedding ? embeddingParameters(model) : 0) +
    (separateHead ? embeddingParameters(model) : 0) +
    (content.head ? model.hiddenSize : 0);
  return parameters * setting.elementBytes;
};

/**
 * Bytes of one adapter's state on a stage: fp32 weight, gradient and Adam's two moments, 16 a parameter (Rajbhandari et
 * al. 2020, ZeRO, section 3.1).
 */
export const adapterStateBytes = (
  setting: WorkSetting,
  content: StageContent,
  adapter: number,
): { readonly adapters: number; readonly gradients: number; readonly optimizer: number } => {
  const parameters = content.layerCount * adapterLayerParameters(setting, adapterOf(setting, { adapter }));
  return { adapters: 4 * parameters, gradients: 4 * parameters, optimizer: 8 * parameters };
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
  const { tokens } = shapeSize(shape);
  const head = content.head ? tokens * (hiddenSize + vocabularySize) : 0;
  return setting.elementBytes * (content.layerCount * layerSavedElements(setting, shape) + head);
};

/** Elements kept of one layer: what the derivatives of its operations refer to. */
const layerSavedElements = (setting: WorkSetting, shape: MicrobatchShape): number => {
  const { hiddenSize, intermediateSize, headCount, keyValueHeadCount, headSize } = setting.model;
  const { tokens, squaredTokens } = shapeSize(shape);
  const adapted = adaptedModules(setting, shape);
  const has = (...modules: ModuleName[]): number => (modules.some((module) => adapted.includes(module)) ? 1 : 0);
  const flash = setting.attention === 'flash';
  const normInputs = 2 * hiddenSize;
  const normOutputs = hiddenSize * (has('q_proj', 'k_proj', 'v_proj') + has('gate_proj', 'up_proj'));
  const queriesKeysValues = (headCount + 2 * keyValueHeadCount) * headSize;
  const attentionOutput = flash ? headCount * headSize : headCount * headSize * has('o_proj');
  const gateAndUp = (setting.elementwise === 'eager' ? 3 : 2) * intermediateSize;
  const product = intermediateSize * has('down_proj');
  const perToken = normInputs + normOutputs + queriesKeysValues + attentionOutput + gateAndUp + product;
  const attention = flash ? tokens * headCount : scoreElements(setting, squaredTokens);
  return tokens * perToken + attention + loraSavedElements(setting, shape);
};

/** Elements kept for the adapters of one layer: x·A, and the masked input where there is dropout. */
const loraSavedElements = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shape.parts.reduce((sum, part) => {
    const adapter = adapterOf(setting, part);
    const widths = adapter.targetModules.map((module) => linearShape(setting.model, module).inputSize);
    const masked = adapter.dropout > 0 ? widths.reduce((total, width) => total + width, 0) : 0;
    return sum + part.tokens * (masked + adapter.rank * widths.length);
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
  const head = content.head ? tokens * vocabularySize : 0;
  return {
    forward: setting.elementBytes * Math.max(layers(2, 2), head),
    backward: setting.elementBytes * Math.max(layers(3, 3), head),
  };
};
