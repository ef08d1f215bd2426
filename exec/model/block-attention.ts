import {
  type Rank,
  type Tensor2D,
  type Tensor3D,
  add,
  concat,
  matMul,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  tensor2d,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Model } from '../../core/model/model.ts';
import { scoped } from '../backend/scope.ts';
import { fillMask } from './attention-mask.ts';
import type { AttentionChunk } from './batch-layout.ts';
import { type Rotation, rotate, rotateBack } from './rope.ts';
import { takeColumns } from './row-ranges.ts';

/**
 * Attention in blocks of one key/value head and one chunk of rows, for backends that multiply single matrices only: the
 * `group` query heads that share the key/value head are stacked, so that a block is two plain products, and the sum over
 * the group in the backward falls out of them.
 */
export interface BlockContext {
  readonly kind: 'blocks';
  readonly model: AttentionModel;
  readonly chunks: readonly AttentionChunk[];
  /** One mask per chunk, `[group·tokens, tokens]`. */
  readonly masks: readonly Tensor2D[];
  readonly rotation: Rotation;
  readonly halfRotation: Tensor2D;
}

/** What attention knows of a model. */
export type AttentionModel = Pick<Model, 'headCount' | 'keyValueHeadCount' | 'headSize'>;

/** What the backward needs. */
export interface BlocksSaved {
  readonly kind: 'blocks';
  /** Rotated query heads, then rotated key heads, `[heads + key/value heads, tokens, head size]`. */
  readonly rotated: Tensor3D;
  /** `[key/value heads, tokens, head size]`. */
  readonly values: Tensor3D;
  /** Attention weights per block, `[group·tokens, tokens]`; by key/value head, then chunk. */
  readonly weights: readonly Tensor2D[];
}

/** Prepares the blocks of a microbatch. */
export const createBlockContext = (
  model: AttentionModel,
  chunks: readonly AttentionChunk[],
  rotary: Pick<BlockContext, 'rotation' | 'halfRotation'>,
): BlockContext => ({ kind: 'blocks', model, chunks, masks: masksOf(model, chunks), ...rotary });

/** One mask a chunk; chunks of the same row lengths share it. */
export const masksOf = (model: AttentionModel, chunks: readonly AttentionChunk[]): readonly Tensor2D[] => {
  const known = new Map<string, Tensor2D>();
  return chunks.map((chunk) => {
    const key = chunk.rowLengths.join();
    const mask = known.get(key) ?? chunkMask(chunk, model.headCount / model.keyValueHeadCount);
    known.set(key, mask);
    return mask;
  });
};

/** Mask of a chunk for `group` stacked heads: a token sees itself and earlier tokens of its own row. */
const chunkMask = (chunk: AttentionChunk, group: number): Tensor2D => {
  const { count } = chunk;
  const mask = new Float32Array(count * count);
  fillMask(mask, chunk, count);
  const stacked = new Float32Array(group * mask.length);
  for (let head = 0; head < group; head++) stacked.set(mask, head * mask.length);
  return tensor2d(stacked, [group * count, count]);
};

/** Inputs `[tokens, heads·head size]` each; the output has the queries' shape. */
export const forwardBlocks = (
  context: BlockContext,
  queries: Tensor2D,
  keys: Tensor2D,
  values: Tensor2D,
): { output: Tensor2D; saved: BlocksSaved } =>
  scoped(() => {
    const { headSize } = context.model;
    const rotated = rotate(toHeads(concat([queries, keys], 1), headSize), context.rotation, context.halfRotation);
    const saved = { rotated, values: toHeads(values, headSize) };
    const weights = blocksOf(context).map((block) => attentionWeights(context, saved, block));
    const outputs = blocksOf(context).map((block, index) =>
      matMul<Tensor2D>(weights[index]!, blockValues(saved, block)),
    );
    return { output: toRows(joinBlocks(context, outputs)), saved: { kind: 'blocks', ...saved, weights } };
  });

/** Gradients of queries, keys and values, in their shapes. */
export const backwardBlocks = (
  context: BlockContext,
  saved: BlocksSaved,
  gradient: Tensor2D,
): { queries: Tensor2D; keys: Tensor2D; values: Tensor2D } =>
  scoped(() => {
    const { headCount, keyValueHeadCount, headSize } = context.model;
    const heads = toHeads(gradient, headSize);
    const blocks = blocksOf(context).map((block, index) => backwardBlock(saved, block, saved.weights[index]!, heads));
    const joined = (part: keyof BlockGradients): Tensor3D =>
      joinBlocks(
        context,
        blocks.map((block) => block[part]),
      );
    const rotated = concat([joined('queries'), joined('keys')], 0);
    const both = toRows(rotateBack(rotated, context.rotation, context.halfRotation));
    return {
      queries: takeColumns(both, 0, headCount * headSize),
      keys: takeColumns(both, headCount * headSize, keyValueHeadCount * headSize),
      values: toRows(joined('values')),
    };
  });

/** One key/value head on one chunk. */
interface Block {
  readonly keyValueHead: number;
  readonly keyHead: number;
  readonly firstQueryHead: number;
  readonly group: number;
  readonly chunk: AttentionChunk;
  readonly chunkIndex: number;
}

const blocksOf = ({ model, chunks }: BlockContext): readonly Block[] => {
  const group = model.headCount / model.keyValueHeadCount;
  return Array.from({ length: model.keyValueHeadCount }, (_, keyValueHead) =>
    chunks.map((chunk, chunkIndex) => ({
      keyValueHead,
      keyHead: model.headCount + keyValueHead,
      firstQueryHead: keyValueHead * group,
      group,
      chunk,
      chunkIndex,
    })),
  ).flat();
};

type HeadsSaved = Pick<BlocksSaved, 'rotated' | 'values'>;

const blockRows = (heads: Tensor3D, first: number, count: number, chunk: AttentionChunk): Tensor2D => {
  const headSize = heads.shape[2];
  return reshape(slice(heads, [first, chunk.start, 0], [count, chunk.count, headSize]), [
    count * chunk.count,
    headSize,
  ]);
};

const blockQueries = ({ rotated }: HeadsSaved, block: Block): Tensor2D =>
  blockRows(rotated, block.firstQueryHead, block.group, block.chunk);

const blockKeys = ({ rotated }: HeadsSaved, block: Block): Tensor2D =>
  blockRows(rotated, block.keyHead, 1, block.chunk);

const blockValues = ({ values }: HeadsSaved, block: Block): Tensor2D =>
  blockRows(values, block.keyValueHead, 1, block.chunk);

const attentionWeights = ({ masks }: BlockContext, saved: HeadsSaved, block: Block): Tensor2D =>
  scoped(() => {
    const scores = matMul(blockQueries(saved, block), transpose(blockKeys(saved, block)));
    return softmax<Tensor2D>(add(scores, masks[block.chunkIndex]!));
  });

interface BlockGradients {
  readonly queries: Tensor2D;
  readonly keys: Tensor2D;
  readonly values: Tensor2D;
}

const backwardBlock = (saved: HeadsSaved, block: Block, weights: Tensor2D, heads: Tensor3D): BlockGradients =>
  scoped(() => {
    const output = blockRows(heads, block.firstQueryHead, block.group, block.chunk);
    const weighted = mul(weights, matMul(output, transpose(blockValues(saved, block))));
    const scores = sub<Tensor2D>(weighted, mul(weights, sum(weighted, 1, true)));
    return {
      queries: matMul<Tensor2D>(scores, blockKeys(saved, block)),
      keys: matMul<Tensor2D>(transpose(scores), blockQueries(saved, block)),
      values: matMul<Tensor2D>(transpose(weights), output),
    };
  });

/** `[tokens, heads·size]` → `[heads, tokens, size]`: the rows of a head become contiguous, and cheap to cut. */
const toHeads = (rows: Tensor2D, headSize: number): Tensor3D =>
  scoped(() => transpose(reshape<Rank.R3>(rows, [rows.shape[0], rows.shape[1] / headSize, headSize]), [1, 0, 2]));

const toRows = (heads: Tensor3D): Tensor2D =>
  scoped(() => reshape(transpose(heads, [1, 0, 2]), [heads.shape[1], heads.shape[0] * heads.shape[2]]));

/** Blocks `[heads of a block·tokens, size]`, by key/value head and chunk, as one `[heads, tokens, size]`. */
const joinBlocks = ({ model, chunks }: BlockContext, blocks: readonly Tensor2D[]): Tensor3D =>
  scoped(() => {
    const perHead = Array.from({ length: model.keyValueHeadCount }, (_, head) =>
      concat(
        chunks.map(({ count }, chunk) => {
          const block = blocks[head * chunks.length + chunk]!;
          return reshape<Rank.R3>(block, [block.shape[0] / count, count, model.headSize]);
        }),
        1,
      ),
    );
    return concat(perHead, 0);
  });
