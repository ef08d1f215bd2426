import { embeddingParameters, layerLinearParameters, layerParameters, linearShape, MODULE_NAMES, type Model, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { scoreElements } from './attention.ts';
import { dequantisedBytes, frozenLinearBytes, quantisedProductBytes } from './frozen-linear.ts';
import { adaptedModules, adapterFrozenParameters, adapterLayerParameters, adapterLayerTensors, adapterOperands } from './lora.ts';
import { adapterOf, hasLoss, headTokens, shapeSize, type StageContent, type WorkSetting } from './setting.ts';

/** Bytes of a microbatch's hidden states, or of their gradients. */
export const hiddenBytes = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shapeSize(shape).tokens * setting.model.hiddenSize * setting.elementBytes;

/**
 * What a stage hands to the next one, and gets back as a gradient: hidden states, or fp32 logits where the LM head is not
 * beside the loss (paper's released code: 8 × 512 × 32,000 × 4 B = 500 MiB at 1.1B).
 */
export const transferBytes = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): number =>
  content.head && !hasLoss(content) ? headTokens(setting, shape) * setting.model.vocabularySize * FLOAT : hiddenBytes(setting, shape);

/** Bytes of a stage's frozen weights; a tied LM head costs a second copy where it is on another stage. */
export const baseWeightBytes = (setting: WorkSetting, content: StageContent): number => {
  const { model } = setting;
  if (setting.elementwise === 'tfjs') return setting.elementBytes * executorWeights(setting, content);
  const separateHead = content.head && !(model.tiedEmbeddings && content.embedding);
  const unquantised =
    content.layerCount * (layerParameters(model) - layerLinearParameters(model)) +
    (content.embedding ? embeddingParameters(model) : 0) +
    (separateHead ? embeddingParameters(model) : 0) +
    (content.head ? model.hiddenSize : 0);
  return unquantised * setting.elementBytes + content.layerCount * frozenLinearBytes(setting);
};

/** Bytes of the buffers in which a stage dequantises its weights; 0 where they are not quantised. */
export const quantizationBytes = dequantisedBytes;

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
 * al. 2020, ZeRO, section 3.1); SGD remembers less, VeRA's projections are held beside, and what the executor multiplies by.
 */
export const adapterStateBytes = (
  setting: WorkSetting,
  content: StageContent,
  adapter: number,
): { readonly adapters: number; readonly gradients: number; readonly optimizer: number } => {
  const held = adapterOf(setting, { adapter });
  const parameters = content.layerCount * adapterLayerParameters(setting, held);
  const frozen = adapterFrozenParameters(setting, held);
  const optimizer = FLOAT * optimizerVectors(setting, adapter) * parameters;
  const operands = setting.elementwise === 'tfjs' ? content.layerCount * adapterOperands(setting, held) : 0;
  return { adapters: FLOAT * (parameters + frozen + operands), gradients: FLOAT * parameters, optimizer };
};

/** What the allocator adds to the adapter's weights, gradients and optimizer vectors, each a tensor of its own. */
export const adapterRoundingBytes = (setting: WorkSetting, content: StageContent, adapter: number): number => {
  const tensors = adapterLayerTensors(setting, adapterOf(setting, { adapter })).map((elements) => FLOAT * elements);
  return content.layerCount * (2 + optimizerVectors(setting, adapter)) * roundingOf(setting, tensors);
};

const FLOAT = 4;
/** PyTorch's CUDA allocator hands out multiples of this (c10/cuda/CUDACachingAllocator, kMinBlockSize). */
const ALLOCATION_BYTES = 512;

/** Bytes that tensors of these sizes take up beyond their own when each is rounded up; the executor's heap is not so coarse. */
const roundingOf = ({ elementwise }: WorkSetting, tensors: readonly number[]): number =>
  elementwise === 'tfjs'
    ? 0
    : tensors.reduce((sum, bytes) => sum + Math.ceil(bytes / ALLOCATION_BYTES) * ALLOCATION_BYTES - bytes, 0);

/**
 * Bytes a stage keeps from a microbatch's forward for its backward, counted as in Korthikanti et al. 2022 (Reducing
 * Activation Recomputation, section 4.1) but with frozen weights, whose inputs are not kept. Per layer and token 6h + 2k +
 * 3f elements with every module adapted, flash attention and fused kernels (+ 6h + f with dropout), which is within 5 % of
 * LoRAFusion's measured 8B and 32B layers; 7h + 3f and the score matrix in the mLoRA paper's setting. On the last stage
 * also the input of the final norm and the log-probabilities.
 */
export const savedBytes = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): number => {
  const once = setting.elementwise === 'tfjs' ? executorSharedElements(setting, shape) : 0;
  const head = sum(headSavedTensors(setting, content, shape));
  return setting.elementBytes * (content.layerCount * sum(keptOfLayer(setting, content, shape)) + head + once);
};

/** What the allocator adds to a microbatch's saved tensors. */
export const savedRoundingBytes = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): number => {
  const inBytes = (tensors: readonly number[]): number[] => tensors.map((elements) => elements * setting.elementBytes);
  return (
    content.layerCount * roundingOf(setting, inBytes(keptOfLayer(setting, content, shape))) +
    roundingOf(setting, inBytes(headSavedTensors(setting, content, shape)))
  );
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Elements of each tensor that a layer keeps between its passes: its input alone where it recomputes. */
const keptOfLayer = (setting: WorkSetting, { recompute }: StageContent, shape: MicrobatchShape): number[] =>
  recompute === true ? [shapeSize(shape).tokens * setting.model.hiddenSize] : layerSavedTensors(setting, shape);

const headSavedTensors = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): number[] => {
  const tokens = headTokens(setting, shape);
  return [
    ...(content.head ? [tokens * setting.model.hiddenSize] : []),
    ...(hasLoss(content) ? [(tokens * setting.model.vocabularySize * logitBytes(setting).saved) / setting.elementBytes] : []),
  ];
};

/**
 * Bytes of every logit: kept for the backward, and alive beside that while the head runs. Hugging Face's causal models and
 * PyTorch's cross-entropy keep the log-probabilities in fp32 and hold the logits, their shifted copy and, of 16-bit logits,
 * the fp32 copy: 12 bytes together; as many in backward (fp32 gradient, its copies).
 */
const logitBytes = ({ elementwise, elementBytes }: WorkSetting): { readonly saved: number; readonly during: number } =>
  elementwise === 'eager' ? { saved: FLOAT, during: 2 * FLOAT } : { saved: elementBytes, during: elementBytes };

/** What the executor's layers share: cosines and sines per token. */
const executorSharedElements = ({ model }: WorkSetting, shape: MicrobatchShape): number => 2 * shapeSize(shape).tokens * model.headSize;

/** Masks of the executor's attention blocks while a forward runs, if no two are alike. */
const maskElements = ({ elementwise, model }: WorkSetting, shape: MicrobatchShape): number =>
  elementwise === 'tfjs' ? (model.headCount / model.keyValueHeadCount) * shapeSize(shape).squaredTokens : 0;

/** Elements of each tensor kept of one layer: what the derivatives of its operations refer to. */
const layerSavedTensors = (setting: WorkSetting, shape: MicrobatchShape): number[] => {
  const { hiddenSize, intermediateSize, headCount, keyValueHeadCount, headSize } = setting.model;
  const { tokens, squaredTokens } = shapeSize(shape);
  const executor = setting.elementwise === 'tfjs';
  const adapted = adaptedModules(setting, shape);
  const has = (...modules: ModuleName[]): boolean => modules.some((module) => adapted.includes(module));
  const flash = setting.attention === 'flash';
  // The executor keeps what norms divide by and makes their outputs, like SwiGLU's product, again.
  const normOutput = executor ? [1] : [hiddenSize];
  const norms = [hiddenSize, hiddenSize];
  const normOutputs = [
    ...(executor || has('q_proj', 'k_proj', 'v_proj') ? normOutput : []),
    ...(executor || has('gate_proj', 'up_proj') ? normOutput : []),
  ];
  const queriesKeysValues = [headCount * headSize, keyValueHeadCount * headSize, keyValueHeadCount * headSize];
  const attentionOutput = flash || executor || has('o_proj') ? [headCount * headSize] : [];
  const gateAndUp = setting.elementwise === 'fused' ? 2 : 3;
  const product = !executor && has('down_proj') ? 1 : 0;
  const feedForward = Array.from({ length: gateAndUp + product }, () => intermediateSize);
  const perToken = [...norms, ...normOutputs, ...queriesKeysValues, ...attentionOutput, ...feedForward];
  const attention = flash ? tokens * headCount : scoreElements(setting, squaredTokens);
  return [...perToken.map((width) => tokens * width), attention, ...loraSavedTensors(setting, shape)];
};

/** Elements kept for the adapters of one layer: x·A, the masked input where there is dropout, DoRA's (W + scale·B·A)x. */
const loraSavedTensors = (setting: WorkSetting, shape: MicrobatchShape): number[] =>
  shape.parts.flatMap((part) => {
    const adapter = adapterOf(setting, part);
    return adapter.targetModules.flatMap((module) => {
      const { inputSize, outputSize } = linearShape(setting.model, module);
      return [
        part.tokens * adapter.rank,
        ...(adapter.dropout > 0 ? [part.tokens * inputSize] : []),
        ...(adapter.type === 'dora' ? [part.tokens * outputSize] : []),
      ];
    });
  });

/**
 * Bytes alive only while an op runs, beyond what is saved: the largest step's temporaries. Eager attention holds raw and
 * masked scores beside the saved ones in forward, and three score-sized gradients in backward; the rest is what one norm,
 * SwiGLU, quantised product or LM head holds at once. A stage that recomputes has one layer's saved tensors back in
 * backward.
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
    content.layerCount === 0
      ? 0
      : Math.max(
          setting.elementBytes * Math.max(scoreMatrices * scores, tokens * (hiddens * hiddenSize + 2 * intermediateSize)),
          quantisedProductBytes(setting, tokens),
        );
  const again = content.recompute === true && content.layerCount > 0 ? setting.elementBytes * sum(layerSavedTensors(setting, shape)) : 0;
  const head = content.head || hasLoss(content) ? logitBytes(setting).during * headTokens(setting, shape) * vocabularySize : 0;
  // What the head keeps is gone by the time the layers run backward.
  const headSaved = setting.elementBytes * sum(headSavedTensors(setting, content, shape));
  const masks = content.layerCount === 0 ? 0 : setting.elementBytes * maskElements(setting, shape);
  const backward = Math.max(layers(3, 3) + again - headSaved, head, 0);
  return { forward: Math.max(layers(2, 2) + masks, head), backward };
};
