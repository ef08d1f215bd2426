import type { MicrobatchShape } from '../plan/plan.ts';
import { elementwise } from './elementwise.ts';
import { repeatKernels, type Kernel } from './kernel.ts';
import { layerBackward, layerForward } from './layer.ts';
import { adapterLayerParameters, gemm } from './lora.ts';
import { adapterOf, shapeSize, type StageContent, type WorkSetting } from './setting.ts';

/** Kernels of a stage's forward of one microbatch: embedding rows, layers, then norm, LM head and loss on the last stage. */
export const forwardWork = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): Kernel[] => {
  const { hiddenSize } = setting.model;
  const { tokens } = shapeSize(shape);
  return [
    ...(content.embedding ? [elementwise(setting, 'gather', tokens * hiddenSize)] : []),
    ...repeatKernels(layerForward(setting, shape), content.layerCount),
    ...(content.head ? headForward(setting, tokens) : []),
  ];
};

/** Kernels of a stage's backward of one microbatch; the embedding is frozen and takes no part. */
export const backwardWork = (setting: WorkSetting, content: StageContent, shape: MicrobatchShape): Kernel[] => {
  const { tokens } = shapeSize(shape);
  const lowestLayers = content.embedding ? Math.min(1, content.layerCount) : 0;
  return [
    ...(content.head ? headBackward(setting, tokens) : []),
    ...repeatKernels(layerBackward(setting, shape, true), content.layerCount - lowestLayers),
    ...repeatKernels(layerBackward(setting, shape, false), lowestLayers),
  ];
};

/** Final norm, LM head on every position (2 FLOP a parameter and token: 2hV), cross-entropy of its logits. */
const headForward = (setting: WorkSetting, tokens: number): Kernel[] => {
  const { hiddenSize, vocabularySize } = setting.model;
  return [
    elementwise(setting, 'norm', tokens * hiddenSize),
    gemm(setting, 'frozen', { m: tokens, n: vocabularySize, k: hiddenSize }),
    elementwise(setting, 'crossEntropy', tokens * vocabularySize),
  ];
};

const headBackward = (setting: WorkSetting, tokens: number): Kernel[] => {
  const { hiddenSize, vocabularySize } = setting.model;
  return [
    elementwise(setting, 'crossEntropyBackward', tokens * vocabularySize),
    gemm(setting, 'frozen', { m: tokens, n: hiddenSize, k: vocabularySize }),
    elementwise(setting, 'normBackward', tokens * hiddenSize),
  ];
};

/** fp32 passes of AdamW over a parameter: read weight, gradient and two moments, write all but the gradient, clear it. */
const ADAMW_PASSES = 8;
/** Launches of PyTorch's multi-tensor AdamW, counted from the `_foreach` calls of `torch/optim/adamw.py`. */
const ADAMW_LAUNCHES = 12;
const FP32_BYTES = 4;

/** Kernels of one optimizer step of an adapter on a stage; adapters are fp32 at every precision of the base. */
export const stepWork = (setting: WorkSetting, content: StageContent, adapter: number): Kernel[] => {
  const parameters = content.layerCount * adapterLayerParameters(setting, adapterOf(setting, { adapter }));
  return [{ kind: 'elementwise', bytes: ADAMW_PASSES * FP32_BYTES * parameters, count: ADAMW_LAUNCHES }];
};
