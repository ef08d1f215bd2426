import type { MicrobatchShape } from '../plan/plan.ts';
import { elementwise } from './elementwise.ts';
import { gemm } from './gemm.ts';
import { repeatKernels, type Kernel } from './kernel.ts';
import { layerBackward, layerForward } from './layer.ts';
import type { BackwardHalf } from './lora.ts';
import { adapterLayerParameters, normsAfterStep } from './lora.ts';
import { adapterOf, hasLoss, headTokens, shapeSize, type StageContent, type WorkSetting } from './setting.ts';

/** Kernels of a stage's forward of one microbatch: embedding rows, layers, norm and LM head, loss. */
export const forwardWork = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): Kernel[] => {
  const { hiddenSize } = setting.model;
  const { tokens } = shapeSize(shape);
  return [
    ...(content.embedding ? [elementwise(setting, 'gather', tokens * hiddenSize)] : []),
    ...repeatKernels(layerForward(setting, shape), content.layerCount),
    ...(content.head ? headForward(setting, headTokens(setting, shape)) : []),
    ...(hasLoss(content) ? [elementwise(setting, 'crossEntropy', headTokens(setting, shape) * setting.model.vocabularySize)] : []),
  ];
};

/**
 * Kernels of a stage's backward of one microbatch; the embedding is frozen and takes no part. A stage that recomputes runs
 * the forward of its layers again first; the head's values are kept. Of a split backward the second half is the adapters'
 * weight gradients, and the first all the rest.
 */
export const backwardWork = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape, half: BackwardHalf = 'both'): Kernel[] => {
  const lowestLayers = content.embedding ? Math.min(1, content.layerCount) : 0;
  const layers = [
    ...repeatKernels(layerBackward(setting, shape, { inputGradient: true, half }), content.layerCount - lowestLayers),
    ...repeatKernels(layerBackward(setting, shape, { inputGradient: false, half }), lowestLayers),
  ];
  if (half === 'weight') return layers;
  return [
    ...(hasLoss(content) ? [elementwise(setting, 'crossEntropyBackward', headTokens(setting, shape) * setting.model.vocabularySize)] : []),
    ...(content.head ? headBackward(setting, headTokens(setting, shape)) : []),
    ...(content.recompute === true ? repeatKernels(layerForward(setting, shape), content.layerCount) : []),
    ...layers,
  ];
};

/** Final norm, LM head: 2 FLOP a parameter and token, 2hV. */
const headForward = (setting: WorkSetting, tokens: number): Kernel[] => {
  const { hiddenSize, vocabularySize } = setting.model;
  return [
    elementwise(setting, 'norm', tokens * hiddenSize),
    gemm(setting, 'frozen', { m: tokens, n: vocabularySize, k: hiddenSize }),
  ];
};

const headBackward = (setting: WorkSetting, tokens: number): Kernel[] => {
  const { hiddenSize, vocabularySize } = setting.model;
  return [
    gemm(setting, 'frozen', { m: tokens, n: hiddenSize, k: vocabularySize }),
    elementwise(setting, 'normBackward', tokens * hiddenSize),
  ];
};

const FP32_BYTES = 4;

/**
 * fp32 passes over a parameter and launches of a step. PyTorch: what is read (weight, gradient, AdamW's two moments or
 * SGD's one) and written (all but the gradient, and clears it), launches counted from the `_foreach` calls of
 * `torch/optim/adamw.py` and `sgd.py`. The executor runs one TensorFlow.js op at a time (`exec/adapter`).
 */
const STEPS = {
  adamw: { torch: { passes: 8, launches: 12 }, tfjs: { passes: 35, launches: 16 } },
  sgd: { torch: { passes: 6, launches: 4 }, tfjs: { passes: 15, launches: 6 } },
} as const;

/**
 * Kernels of one optimizer step of an adapter on a stage, or of one of the `ranks` that share its parameters; adapters are
 * fp32 at every precision of the base. A stage without layers has nothing to step.
 */
export const stepWork = (setting: WorkSetting, content: StageContent, adapter: number, ranks = 1): Kernel[] => {
  const stepped = adapterOf(setting, { adapter });
  const parameters = (content.layerCount * adapterLayerParameters(setting, stepped)) / ranks;
  if (parameters === 0) return [];
  const { passes, launches: count } = STEPS[setting.optimizers?.[adapter]?.type ?? 'adamw'][
    setting.elementwise === 'tfjs' ? 'tfjs' : 'torch'
  ];
  return [
    { kind: 'elementwise', form: 'plain', bytes: passes * FP32_BYTES * parameters, count },
    ...repeatKernels(normsAfterStep(setting, stepped), content.layerCount),
  ];
};
