import {
  type Rank,
  type Tensor1D,
  type Tensor2D,
  add,
  div,
  gather,
  log,
  max,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  tensor1d,
  tensor2d,
  zeros,
} from '@tensorflow/tfjs-core';
import type { Backend } from '../backend/backend.ts';
import { scoped } from '../backend/scope.ts';
import type { PackedBatch } from '../packed-batch.ts';
import type { PartLoss } from '../stage.ts';
import { type TargetLayout, layOutTargets } from './batch-layout.ts';
import { type FrozenLinear, applyLinearBackward, applyWeight } from './frozen-linear.ts';
import { type RmsNormSaved, backwardRmsNorm, forwardRmsNorm } from './rms-norm.ts';
import { gatherRanges, scatterRanges } from './row-ranges.ts';

/** Final norm and LM head of the last stage. */
export interface HeadWeights {
  readonly norm: Tensor1D;
  readonly normEpsilon: number;
  /** Without bias; its weight is the matrix [vocabulary, hidden] as stored. */
  readonly linear: FrozenLinear;
}

/** What the backward needs of the rows that carry a target. */
export interface HeadSaved {
  readonly norm: RmsNormSaved;
  /** softmax(logits) `[targets, vocabulary]`. */
  readonly probabilities: Tensor2D;
}

export interface HeadResult {
  readonly losses: Promise<readonly PartLoss[]>;
  /** Undefined where no position carries a target. */
  readonly saved: HeadSaved | undefined;
}

/**
 * Cross-entropy of the positions that carry a target; prompts never reach the LM head. The log-sum-exp is taken from the
 * softmax at the row's largest logit, where the probability is at least 1/vocabulary: stable, and cheaper than `exp`. What
 * the softmax has lost in its own sum is put back by the sum of its probabilities.
 */
export const forwardHead = (
  weights: HeadWeights,
  hidden: Tensor2D,
  batch: PackedBatch,
  backend: Backend,
): HeadResult => {
  const layout = layOutTargets(batch);
  if (layout.targets.length === 0) return { losses: Promise.resolve(sumByPart(batch, [])), saved: undefined };
  const { nll, saved } = crossEntropy(weights, hidden, layout);
  const losses = backend
    .read(nll)
    .then((values) => sumByPart(batch, splitAt(values, layout.counts)))
    .finally(() => nll.dispose());
  return { losses, saved };
};

const crossEntropy = (
  weights: HeadWeights,
  hidden: Tensor2D,
  { runs, targets }: TargetLayout,
): { nll: Tensor1D; saved: HeadSaved } =>
  scoped(() => {
    const rows = gatherRanges(hidden, runs);
    const { output, saved: norm } = forwardRmsNorm(rows, weights.norm, weights.normEpsilon);
    const logits = applyWeight(weights.linear, output);
    const probabilities = softmax(logits);
    const margin = sub(max(logits, 1), gatherTargets(logits, targets));
    const normalizer = div(sumOfRows(probabilities), max(probabilities, 1));
    return { nll: add<Tensor1D>(margin, log(normalizer)), saved: { norm, probabilities } };
  });

const CHUNKS = 64;

/**
 * Sums of rows, chunk by chunk. A kernel adds a row up in one float32, in which tens of thousands of small terms get lost:
 * over a vocabulary of 49,152 the sum, and with it the loss, comes out 1e-5 too small; chunks of it are right to 3e-7.
 */
const sumOfRows = (matrix: Tensor2D): Tensor1D => {
  const [rows, width] = matrix.shape;
  const size = Math.floor(width / CHUNKS);
  const whole = size * CHUNKS;
  if (whole === 0) return sum<Tensor1D>(matrix, 1);
  const chunked = whole === width ? matrix : slice(matrix, [0, 0], [rows, whole]);
  const sums: Tensor2D = reshape(sum(reshape(chunked, [rows * CHUNKS, size]), 1), [rows, CHUNKS]);
  const rest = whole === width ? 0 : sum(slice(matrix, [0, whole], [rows, width - whole]), 1);
  return add<Tensor1D>(sum(sums, 1), rest);
};

/** The target's entry of each row. */
const gatherTargets = (logits: Tensor2D, targets: Int32Array): Tensor1D => {
  const vocabulary = logits.shape[1];
  return gather(
    reshape<Rank.R1>(logits, [-1]),
    tensor1d(
      targets.map((target, row) => row * vocabulary + target),
      'int32',
    ),
  );
};

const splitAt = (values: Float32Array, counts: readonly number[]): readonly Float32Array[] => {
  let first = 0;
  return counts.map((count) => {
    first += count;
    return values.subarray(first - count, first);
  });
};

const sumByPart = ({ parts }: PackedBatch, nll: readonly Float32Array[]): readonly PartLoss[] =>
  parts.map(({ adapter, lossScale }, index) => {
    let total = 0;
    for (const value of nll[index] ?? []) total += value;
    return { adapter, loss: total * lossScale };
  });

/** Gradient of the hidden states `[tokens, hidden]`: (softmax − onehot)·lossScale through head and norm. */
export const backwardHead = (
  weights: HeadWeights,
  saved: HeadSaved | undefined,
  batch: PackedBatch,
  tokens: number,
): Tensor2D =>
  scoped(() => {
    const layout = layOutTargets(batch);
    if (saved === undefined) return zeros<Rank.R2>([tokens, weights.norm.shape[0]]);
    // onehot·W is a row of W for each target: no one-hot matrix as large as the logits.
    const targets = gather(weights.linear.weight, tensor1d(layout.targets, 'int32'));
    const scale = tensor2d(layout.weights, [layout.weights.length, 1]);
    const normed: Tensor2D = mul(sub(applyLinearBackward(weights.linear, saved.probabilities), targets), scale);
    return scatterRanges(backwardRmsNorm(saved.norm, weights.norm, normed), layout.runs, tokens);
  });
