import type { CollectiveCost } from '../cost-model.ts';
import { assertNever } from '../never.ts';
import type { GradientCollectiveKind, MicrobatchCollectiveKind } from '../plan/op.ts';
import type { MicrobatchShape, ShapePart } from '../plan/plan.ts';
import { adapterStateBytes, baseWeightBytes, hiddenBytes } from './memory.ts';
import { adapterOf, type StageContent, type WorkSetting } from './setting.ts';
import type { Sharing } from './sharing.ts';

const FP32_BYTES = 4;

/** What a collective around a microbatch moves: the stage's weights, or hidden states. */
export const microbatchCollective = (
  setting: WorkSetting,
  content: StageContent,
  { sharing, kind, shape }: { readonly sharing: Sharing; readonly kind: MicrobatchCollectiveKind; readonly shape: MicrobatchShape },
): CollectiveCost => {
  switch (kind) {
    case 'allGatherForward':
      return gather(setting, content, sharing, shape);
    case 'allGatherBackward':
      // No gradient goes through the embedding.
      return gather(setting, { ...content, embedding: false }, sharing, shape);
    case 'allReduceForward': {
      const calls = SUMS_PER_LAYER * content.layerCount + Number(content.embedding);
      return addSums(setting, hiddenSums(setting, shape, calls), content, sharing, shape);
    }
    case 'allReduceBackward': {
      // Nothing needs the input gradient of the lowest layer; that of the LM head is a sum over the vocabulary's shards.
      const calls = SUMS_PER_LAYER * content.layerCount - Number(content.embedding && content.layerCount > 0) + Number(content.head);
      return hiddenSums(setting, shape, calls);
    }
    default:
      return assertNever(kind);
  }
};

/** Frozen weights of a stage as its ranks hold and gather them. */
export const sharedWeightBytes = (setting: WorkSetting, content: StageContent, sharing: Sharing): number =>
  baseWeightBytes(sharing.kind === 'sharded' && sharing.fp32 ? { ...setting, elementBytes: FP32_BYTES } : setting, content);

/** Frozen weights and those of the microbatch's adapters; matrices that are units of their own are calls of their own. */
const gather = (setting: WorkSetting, content: StageContent, sharing: Sharing, { parts }: MicrobatchShape): CollectiveCost => {
  const adapterBytes = parts.reduce((sum, { adapter }) => sum + adapterStateBytes(setting, content, adapter).adapters, 0);
  const ownCalls = sharing.kind === 'sharded' && sharing.unit === 'module' ? matricesOf(setting, content, parts) : 0;
  return { bytes: sharedWeightBytes(setting, content, sharing) + adapterBytes, calls: Math.max(1, content.layerCount) + ownCalls };
};

/** lora_A and lora_B of every adapted module. */
const matricesOf = (setting: WorkSetting, { layerCount }: StageContent, parts: readonly Pick<ShapePart, 'adapter'>[]): number =>
  parts.reduce((sum, part) => sum + 2 * layerCount * adapterOf(setting, part).targetModules.length, 0);

/** A layer's output is summed behind attention and behind the MLP (Shoeybi et al. 2019, section 3). */
const SUMS_PER_LAYER = 2;

const hiddenSums = (setting: WorkSetting, shape: MicrobatchShape, calls: number): CollectiveCost => ({
  bytes: calls * hiddenBytes(setting, shape),
  calls,
});

const ROW_PARALLEL: readonly string[] = ['o_proj', 'down_proj'];
/** Of an all-reduce of the same tensor: an all-gather takes half the steps and moves half the bytes. */
const GATHER = 1 / 2;

/**
 * What the paper's baseline adds for LoRA in forward: the rank-wide result of every adapter whose outputs are cut is
 * summed, and one whose inputs are cut gathers its input and sums its hidden-wide output by itself. With adapters on q, k,
 * v and o: three rank-wide all-reduces, a hidden-wide all-gather and a hidden-wide all-reduce a layer.
 */
const addSums = (setting: WorkSetting, sums: CollectiveCost, { layerCount }: StageContent, sharing: Sharing, shape: MicrobatchShape): CollectiveCost => {
  if (sharing.kind !== 'tensor' || sharing.collectives === 'standard') return sums;
  let { bytes, calls } = sums;
  const { hiddenSize } = setting.model;
  for (const part of shape.parts) {
    const { rank, targetModules } = adapterOf(setting, part);
    const cutInputs = targetModules.filter((module) => ROW_PARALLEL.includes(module)).length;
    const cutOutputs = targetModules.length - cutInputs;
    bytes += layerCount * part.tokens * setting.elementBytes * (cutOutputs * rank + cutInputs * (1 + GATHER) * hiddenSize);
    calls += layerCount * (cutOutputs + cutInputs * (1 + GATHER));
  }
  return { bytes, calls, bufferBytes: hiddenBytes(setting, shape) };
};

/**
 * What a collective before a step moves: an adapter's fp32 gradients on the stage, which are copied into one buffer, or
 * one squared norm.
 */
export const gradientCollective = (
  setting: WorkSetting,
  content: StageContent,
  { sharing, kind, adapter }: { readonly sharing: Sharing; readonly kind: GradientCollectiveKind; readonly adapter: number },
): CollectiveCost => {
  if (kind === 'allReduceNorm') return { bytes: FP32_BYTES, calls: 1 };
  const { gradients } = adapterStateBytes(setting, content, adapter);
  const calls = sharing.kind === 'sharded' ? (sharing.unit === 'module' ? matricesOf(setting, content, [{ adapter }]) : content.layerCount) : 1;
  return { bytes: gradients, calls: Math.max(1, calls), bufferBytes: gradients };
};
