import type { AttentionKernel } from './kernel.ts';
import type { WorkSetting } from './setting.ts';

/** Tokens of a microbatch, and the sum of its squared row lengths. */
export interface AttentionSize {
  /** Rows, or what stands for them where several attend in one block (`shapeAsPacked`). */
  readonly rows: number;
  readonly tokens: number;
  readonly squaredTokens: number;
}

/**
 * Attention without its projections. Two products of 2·length²·width FLOP a row: 4hs a token; a causal
 * flash kernel skips the upper half. The unfused form also moves the score matrix: written, scaled, masked, put
 * through softmax, read.
 */
export const attentionForward = (setting: WorkSetting, size: AttentionSize): AttentionKernel => {
  const { queryElements, keyValueElements, scoreElements, productFlops } = measure(setting, size);
  const inputsAndOutput = 2 * queryElements + keyValueElements;
  return setting.attention === 'flash'
    ? kernel(setting, { flops: productFlops, elements: inputsAndOutput, launches: 1 })
    : kernel(setting, { flops: 2 * productFlops, elements: inputsAndOutput + 8 * scoreElements, launches: launchesOf(setting, size, 5, 8) });
};

/**
 * Input gradients of attention: four products, 8hs a token; flash recomputes the scores, 5/2 of its forward (Dao
 * 2023, FlashAttention-2, section 4.1). The unfused form reads or writes score matrices nine times: values' gradient,
 * their own gradient, softmax backward (3), scale (2), queries' and keys' gradients.
 */
export const attentionBackward = (setting: WorkSetting, size: AttentionSize): AttentionKernel => {
  const { queryElements, keyValueElements, scoreElements, productFlops } = measure(setting, size);
  const inputsAndGradients = 3 * queryElements + 2 * keyValueElements;
  return setting.attention === 'flash'
    ? kernel(setting, { flops: 2.5 * productFlops, elements: inputsAndGradients + queryElements, launches: 2 })
    : kernel(setting, { flops: 4 * productFlops, elements: inputsAndGradients + 9 * scoreElements, launches: launchesOf(setting, size, 6, 15) });
};

/** Elements of the score matrices of one layer: heads × Σ length². */
export const scoreElements = (setting: WorkSetting, squaredTokens: number): number =>
  setting.model.headCount * squaredTokens;

/** The executor's kernels per block of one key/value head and one run of rows, counted in `exec/model/attention.ts`. */
const launchesOf = (setting: WorkSetting, { rows }: AttentionSize, batched: number, perBlock: number): number =>
  setting.elementwise === 'tfjs' ? perBlock * rows * setting.model.keyValueHeadCount : batched;

const measure = (setting: WorkSetting, { tokens, squaredTokens }: AttentionSize) => {
  const { headCount, keyValueHeadCount, headSize } = setting.model;
  return {
    queryElements: tokens * headCount * headSize,
    keyValueElements: 2 * tokens * keyValueHeadCount * headSize,
    scoreElements: scoreElements(setting, squaredTokens),
    productFlops: 2 * squaredTokens * headCount * headSize,
  };
};

const kernel = (
  setting: WorkSetting,
  work: { readonly flops: number; readonly elements: number; readonly launches: number },
): AttentionKernel => ({
  kind: 'attention',
  flops: work.flops,
  bytes: work.elements * setting.elementBytes,
  count: work.launches,
});
