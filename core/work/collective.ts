import type { CollectiveCost } from '../cost-model.ts';
import { assertNever } from '../never.ts';
import type { GradientCollectiveKind, MicrobatchCollectiveKind } from '../plan/op.ts';
import type { MicrobatchShape, ShapePart } from '../plan/plan.ts';
import { releasedSums } from './released-tensor-parallel.ts';
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
    case 'allReduceForward':
      return sumsOf(setting, content, sharing, { shape, isForward: true });
    case 'allReduceBackward':
      return sumsOf(setting, content, sharing, { shape, isForward: false });
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

interface SumsAround {
  readonly shape: MicrobatchShape;
  readonly isForward: boolean;
}

/** Sums of hidden states around a tensor-parallel stage. */
const sumsOf = (setting: WorkSetting, content: StageContent, sharing: Sharing, { shape, isForward }: SumsAround): CollectiveCost => {
  if (sharing.kind === 'tensor' && sharing.collectives === 'released') return releasedSums(setting, content, sharing, { shape, isForward });
  const { layerCount, embedding, head } = content;
  // Nothing needs the input gradient of the lowest layer; that of the LM head is a sum over the vocabulary's shards.
  const ends = isForward ? Number(embedding) : Number(head) - Number(embedding && layerCount > 0);
  return hiddenSums(setting, shape, SUMS_PER_LAYER * layerCount + ends);
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
