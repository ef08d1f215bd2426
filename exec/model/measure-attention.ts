import { type Tensor2D, randomUniform } from '@tensorflow/tfjs-core';
import { release, scoped } from '../backend/scope.ts';
import { type RotaryConstants, backwardAttention, createAttentionContext, disposeAttentionContext, forwardAttention } from './attention.ts';
import { layOutBatch } from './batch-layout.ts';
import type { AttentionModel } from './block-attention.ts';
import { halfRotation } from './rope.ts';

/** Rows of equal length through the attention of a model. */
export interface AttentionShape extends AttentionModel {
  readonly rows: number;
  readonly rowTokens: number;
}

/** Attention on the current backend, ready to be run again and again. */
export interface AttentionRun {
  /** Products of one forward and backward: six of each head's queries with keys or values. */
  readonly flops: number;
  readonly run: () => void;
  readonly dispose: () => void;
}

/** Makes operands for forward and backward of attention alone, to measure its rate. */
export const openAttention = ({ rows, rowTokens, ...model }: AttentionShape): AttentionRun => {
  const row = { tokens: new Int32Array(rowTokens), targets: new Int32Array(rowTokens) };
  const layout = layOutBatch({ microbatch: 0, parts: [{ adapter: 0, rows: Array.from({ length: rows }, () => row), lossScale: 1 }] });
  const rotary: RotaryConstants = { frequencies: new Float32Array(model.headSize / 2).fill(0.1), halfRotation: halfRotation(model.headSize) };
  const context = createAttentionContext(model, layout, rotary);
  const operand = (heads: number): Tensor2D => randomUniform([layout.tokens, heads * model.headSize]);
  const [queries, keys, values] = [operand(model.headCount), operand(model.keyValueHeadCount), operand(model.keyValueHeadCount)];
  return {
    flops: 6 * 2 * rows * model.headCount * rowTokens ** 2 * model.headSize,
    run: () =>
      scoped(() => {
        const { output, saved } = forwardAttention(context, queries, keys, values);
        backwardAttention(context, saved, output);
      }),
    dispose: () => {
      disposeAttentionContext(context);
      release([queries, keys, values, rotary.halfRotation]);
    },
  };
};
