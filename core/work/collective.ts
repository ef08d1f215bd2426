import type { CollectiveCost } from '../cost-model.ts';
import type { GradientCollectiveKind, MicrobatchCollectiveKind } from '../plan/op.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { assertNever } from '../never.ts';
import { adapterStateBytes, baseWeightBytes, transferBytes } from './memory.ts';
import type { StageContent, WorkSetting } from './setting.ts';

/** Tensor parallelism sums a layer's output behind attention and behind the MLP (Shoeybi et al. 2019, section 3). */
const SUMS_PER_LAYER = 2;

/** What a collective around a microbatch moves: the stage's frozen weights, or hidden states. */
export const microbatchCollective = (
  setting: WorkSetting,
  content: StageContent,
  kind: MicrobatchCollectiveKind,
  shape: MicrobatchShape,
): CollectiveCost => {
  switch (kind) {
    case 'allGatherForward':
    case 'allGatherBackward':
      return { bytes: baseWeightBytes(setting, content), calls: 1 };
    case 'allReduceForward':
    case 'allReduceBackward': {
      const calls = SUMS_PER_LAYER * content.layerCount;
      return { bytes: calls * transferBytes(setting, shape), calls };
    }
    default:
      return assertNever(kind);
  }
};

const FP32_BYTES = 4;

/** What a collective before a step moves: an adapter's fp32 gradients on the stage, or one squared norm. */
export const gradientCollective = (
  setting: WorkSetting,
  content: StageContent,
  kind: GradientCollectiveKind,
  adapter: number,
): CollectiveCost => ({
  bytes: kind === 'allReduceNorm' ? FP32_BYTES : adapterStateBytes(setting, content, adapter).gradients,
  calls: 1,
});
