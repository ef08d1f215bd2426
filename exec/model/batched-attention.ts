import {
  type Rank,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  add,
  concat,
  gather,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  tensor1d,
  tensor2d,
  tensor4d,
  tile,
  transpose,
} from '@tensorflow/tfjs-core';
import { multiplyByTransposed, multiplyTransposed } from '../backend/products.ts';
import { release, scoped } from '../backend/scope.ts';
import { fillMask } from './attention-mask.ts';
import type { AttentionChunk } from './batch-layout.ts';
import type { AttentionModel } from './block-attention.ts';
import type { Rotation } from './rope.ts';
import { takeColumns } from './row-ranges.ts';

/**
 * Attention of all chunks and heads at once, for backends that multiply stacks of matrices: every chunk is padded to the
 * longest one, the `group` query heads of a key/value head are stacked. One kernel for what the blocks do in
 * chunks × key/value heads.
 */
export interface BatchedContext {
  readonly kind: 'batched';
  readonly model: AttentionModel;
  readonly chunkCount: number;
  /** Tokens of a padded chunk. */
  readonly size: number;
  /** `[chunks, 1, group·size, size]`, added to the scores of every key/value head. */
  readonly mask: Tensor4D;
  /** null where no chunk is shorter than another. */
  readonly padding: Padding | null;
  /** Rotations of all queries' and keys' heads, token by token, `[tokens·(heads + key/value heads), head size]`. */
  readonly rotation: Rotation;
  readonly halfRotation: Tensor2D;
}

/** The way into padded chunks and back. */
interface Padding {
  /** Token of each padded place; beyond a chunk's end its own last token, so that rows of other chunks never mix in. */
  readonly tokenOf: Tensor1D;
  /** Padded place of each token. */
  readonly placeOf: Tensor1D;
  /** One at places of tokens, zero beyond, `[chunks·size, 1]`: what is beyond gives no gradient. */
  readonly isToken: Tensor2D;
}

/** What the backward needs, queries as `[chunks, key/value heads, group·size, head size]`. */
export interface BatchedSaved {
  readonly kind: 'batched';
  readonly queries: Tensor4D;
  /** `[chunks, key/value heads, size, head size]`, as `values`. */
  readonly keys: Tensor4D;
  readonly values: Tensor4D;
  /** `[chunks, key/value heads, group·size, size]`. */
  readonly weights: Tensor4D;
}

/** Prepares the chunks of a microbatch; takes the rotation over. */
export const createBatchedContext = (
  model: AttentionModel,
  chunks: readonly AttentionChunk[],
  { rotation, halfRotation }: { readonly rotation: Rotation; readonly halfRotation: Tensor2D },
): BatchedContext => {
  const size = Math.max(...chunks.map(({ count }) => count));
  const padding = chunks.every(({ count }) => count === size) ? null : paddingOf(chunks, size);
  const shape = { model, chunkCount: chunks.length, size, padding };
  const forAllHeads = (table: Tensor2D): Tensor2D =>
    scoped(() => reshape<Rank.R2>(tile(table, [1, model.headCount + model.keyValueHeadCount]), [-1, model.headSize]));
  const wide = { cosines: forAllHeads(rotation.cosines), sines: forAllHeads(rotation.sines) };
  release(rotation);
  return { kind: 'batched', ...shape, mask: maskOf(model, chunks, size), rotation: wide, halfRotation };
};

const maskOf = (model: AttentionModel, chunks: readonly AttentionChunk[], size: number): Tensor4D => {
  const group = model.headCount / model.keyValueHeadCount;
  const values = new Float32Array(chunks.length * group * size * size);
  chunks.forEach((chunk, index) => {
    const own = values.subarray(index * group * size * size, (index + 1) * group * size * size);
    fillMask(own.subarray(0, size * size), chunk, size);
    for (let head = 1; head < group; head++) own.copyWithin(head * size * size, 0, size * size);
  });
  return tensor4d(values, [chunks.length, 1, group * size, size]);
};

const paddingOf = (chunks: readonly AttentionChunk[], size: number): Padding => {
  const tokens = chunks.reduce((total, { count }) => total + count, 0);
  const tokenOf = new Int32Array(chunks.length * size);
  const placeOf = new Int32Array(tokens);
  const isToken = new Float32Array(chunks.length * size);
  chunks.forEach(({ start, count }, chunk) => {
    for (let place = 0; place < size; place++) {
      tokenOf[chunk * size + place] = start + Math.min(place, count - 1);
      if (place >= count) continue;
      placeOf[start + place] = chunk * size + place;
      isToken[chunk * size + place] = 1;
    }
  });
  return {
    tokenOf: tensor1d(tokenOf, 'int32'),
    placeOf: tensor1d(placeOf, 'int32'),
    isToken: tensor2d(isToken, [isToken.length, 1]),
  };
};

/** Inputs `[tokens, heads·head size]` each; the output has the queries' shape. */
export const forwardBatched = (
  context: BatchedContext,
  queries: Tensor2D,
  keys: Tensor2D,
  values: Tensor2D,
): { output: Tensor2D; saved: BatchedSaved } =>
  scoped(() => {
    const { headCount, keyValueHeadCount } = context.model;
    const rotated = toHeads(context, rotateHeads(context, concat([queries, keys], 1), add));
    const saved = {
      queries: stackGroups(context, takeHeads(rotated, 0, headCount)),
      keys: takeHeads(rotated, headCount, keyValueHeadCount),
      values: toHeads(context, values),
    };
    const weights = softmax<Tensor4D>(add(multiplyByTransposed(saved.queries, saved.keys), context.mask));
    const output = toRows(context, matMul<Tensor4D>(weights, saved.values));
    return { output, saved: { kind: 'batched', ...saved, weights } };
  });

/** Gradients of queries, keys and values, in their shapes. */
export const backwardBatched = (
  context: BatchedContext,
  { queries, keys, values, weights }: BatchedSaved,
  gradient: Tensor2D,
): { queries: Tensor2D; keys: Tensor2D; values: Tensor2D } =>
  scoped(() => {
    const { headCount, keyValueHeadCount, headSize } = context.model;
    const output = stackGroups(context, toHeads(context, gradient, context.padding?.isToken));
    const weighted: Tensor4D = mul(weights, multiplyByTransposed(output, values));
    const scores: Tensor4D = sub(weighted, mul(weights, sum(weighted, 3, true)));
    const queryHeads = perHead(context, matMul<Tensor4D>(scores, keys));
    const rotated: Tensor4D = concat([queryHeads, multiplyTransposed(scores, queries)], 1);
    const both = reshape<Rank.R2>(rotateHeads(context, toRows(context, rotated), sub), [gradient.shape[0], -1]);
    return {
      queries: takeColumns(both, 0, headCount * headSize),
      keys: takeColumns(both, headCount * headSize, keyValueHeadCount * headSize),
      values: toRows(context, multiplyTransposed(weights, output)),
    };
  });

/**
 * x∘cos ± (x·S)∘sin for rows of heads, as `[tokens·heads, head size]`; the minus turns back, because Sᵀ = −S and the two
 * halves of a head share their sines. One product for all heads: as a stack of small ones it takes three times as long.
 */
const rotateHeads = ({ rotation, halfRotation }: BatchedContext, rows: Tensor2D, combine: typeof add | typeof sub): Tensor2D =>
  scoped(() => {
    const heads = reshape<Rank.R2>(rows, rotation.cosines.shape);
    return combine<Tensor2D>(mul(heads, rotation.cosines), mul(matMul<Tensor2D>(heads, halfRotation), rotation.sines));
  });

/** How a microbatch lies in chunks. */
type ChunkShape = Pick<BatchedContext, 'model' | 'chunkCount' | 'size' | 'padding'>;

/**
 * `[tokens, heads·head size]`, or a row for each head, → `[chunks, heads, size, head size]`; places beyond a chunk's end
 * are multiplied by `scale`.
 */
const toHeads = ({ model, chunkCount, size, padding }: ChunkShape, rows: Tensor2D, scale?: Tensor2D): Tensor4D =>
  scoped(() => {
    const tokens = padding === null ? chunkCount * size : padding.placeOf.size;
    const heads = rows.size / (tokens * model.headSize);
    const places = padding === null ? rows : gather(reshape<Rank.R2>(rows, [tokens, -1]), padding.tokenOf);
    const scaled: Tensor2D = scale === undefined ? places : mul(places, scale);
    return transpose(reshape<Rank.R4>(scaled, [chunkCount, size, heads, model.headSize]), [0, 2, 1, 3]);
  });

/** The way back of `toHeads`; heads may be stacked. */
const toRows = ({ model, chunkCount, size, padding }: BatchedContext, heads: Tensor4D): Tensor2D =>
  scoped(() => {
    const count = heads.size / (chunkCount * size * model.headSize);
    const single = heads.shape[1] === count ? heads : reshape<Rank.R4>(heads, [chunkCount, count, size, model.headSize]);
    const rows = reshape<Rank.R2>(transpose(single, [0, 2, 1, 3]), [chunkCount * size, count * model.headSize]);
    return padding === null ? rows : gather(rows, padding.placeOf);
  });

const takeHeads = (heads: Tensor4D, first: number, count: number): Tensor4D =>
  slice(heads, [0, first, 0, 0], [-1, count, -1, -1]);

/** `[chunks, heads, size, x]` → `[chunks, key/value heads, group·size, x]`. */
const stackGroups = ({ model, size }: BatchedContext, heads: Tensor4D): Tensor4D => {
  const group = model.headCount / model.keyValueHeadCount;
  return group === 1 ? heads : reshape(heads, [heads.shape[0], model.keyValueHeadCount, group * size, heads.shape[3]]);
};

/** The way back of `stackGroups`. */
const perHead = ({ model, size }: BatchedContext, stacked: Tensor4D): Tensor4D =>
  model.headCount === model.keyValueHeadCount
    ? stacked
    : reshape(stacked, [stacked.shape[0], model.headCount, size, stacked.shape[3]]);
