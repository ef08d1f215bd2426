import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { ModuleOperands } from './adapter-form.ts';
import { type DoraForward, type DoraGradients, type DoraSaved, backwardDora, forwardDora } from './dora.ts';
import { type LowRankBackward, type LowRankGradients, type LowRankSaved, backwardLowRank, forwardLowRank } from './low-rank.ts';

/** What the backward of a module needs of one adapter's rows; `direction` where the adapter has a magnitude. */
export type AdaptedSaved = LowRankSaved & Partial<Pick<DoraSaved, 'direction'>>;

export interface AdaptedForward extends Pick<DoraForward, 'rows' | 'mask' | 'throughWeight'> {
  readonly operands: ModuleOperands;
  /** Wx without bias for these rows; made only where it is needed. */
  readonly product: () => Tensor2D;
}

/** What an adapter adds to a module's output on its own rows. */
export const forwardAdapted = (call: AdaptedForward): { delta: Tensor2D; saved: AdaptedSaved } => {
  const { rows, mask, throughWeight, product } = call;
  const { lowRank: operands, magnitude } = call.operands;
  return magnitude === undefined
    ? forwardLowRank(operands, rows, mask)
    : forwardDora({ operands, magnitude, rows, mask, throughWeight, product: product() });
};

export interface AdaptedBackward extends Omit<LowRankBackward, 'operands' | 'saved'> {
  readonly operands: ModuleOperands;
  readonly saved: AdaptedSaved;
  /** The frozen W `[out, in]`. */
  readonly weight: Tensor2D;
}

/** With a magnitude, `throughBase` takes the place of the output's gradient in the frozen product. */
export type AdaptedGradients = LowRankGradients & Partial<Pick<DoraGradients, 'magnitude' | 'throughBase'>>;

/** Gradients of one adapter's rows of a module. */
export const backwardAdapted = (call: AdaptedBackward): AdaptedGradients => {
  const { lowRank: operands, magnitude } = call.operands;
  const { direction } = call.saved;
  return magnitude === undefined || direction === undefined
    ? backwardLowRank({ ...call, operands })
    : backwardDora({ ...call, operands, magnitude, saved: { ...call.saved, direction } });
};
