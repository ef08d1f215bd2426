import { NO_TARGET, type PackedBatch } from '../packed-batch.ts';

/** Consecutive rows of a packed `[tokens, …]` tensor. */
export interface RowRange {
  readonly start: number;
  readonly count: number;
}

/** Training rows that attend in one block: consecutive rows of one part, kept apart by a mask. */
export interface AttentionChunk extends RowRange {
  readonly rowLengths: readonly number[];
}

/** Where everything lies in a packed microbatch; numbers only. */
export interface BatchLayout {
  readonly tokens: number;
  /** Range of each part, in the batch's order. */
  readonly parts: readonly RowRange[];
  readonly chunks: readonly AttentionChunk[];
  /** Place of each token in its own training row. */
  readonly positions: Int32Array;
}

/**
 * Short rows share an attention block up to this many tokens: fewer, larger kernels for some wasted products. Measured
 * on the wasm backend with rows of 16–96 tokens.
 */
const CHUNK_TOKENS = 96;

/** Lays out a microbatch. Blocks never mix adapters, so that a NaN of one cannot reach another through a masked product. */
export const layOutBatch = ({ parts }: PackedBatch): BatchLayout => {
  const ranges: RowRange[] = [];
  const chunks: AttentionChunk[] = [];
  let start = 0;
  for (const { rows } of parts) {
    const lengths = rows.map(({ tokens }) => tokens.length);
    const count = lengths.reduce((sum, length) => sum + length, 0);
    ranges.push({ start, count });
    chunks.push(...cutIntoChunks(lengths, start));
    start += count;
  }
  return { tokens: start, parts: ranges, chunks, positions: positionsOf(chunks, start) };
};

const cutIntoChunks = (lengths: readonly number[], start: number): AttentionChunk[] => {
  const chunks: { start: number; count: number; rowLengths: number[] }[] = [];
  let position = start;
  for (const length of lengths) {
    const last = chunks.at(-1);
    if (last !== undefined && last.count + length <= CHUNK_TOKENS) {
      last.count += length;
      last.rowLengths.push(length);
    } else chunks.push({ start: position, count: length, rowLengths: [length] });
    position += length;
  }
  return chunks;
};

/** Σ length² over the attention blocks in which rows of these lengths attend. */
export const blockSquares = (lengths: readonly number[]): number => cutIntoChunks(lengths, 0).reduce((sum, { count }) => sum + count ** 2, 0);

const positionsOf = (chunks: readonly AttentionChunk[], tokens: number): Int32Array => {
  const positions = new Int32Array(tokens);
  for (const { start, rowLengths } of chunks) {
    let token = start;
    for (const length of rowLengths) for (let place = 0; place < length; place++) positions[token++] = place;
  }
  return positions;
};

/** Token positions that carry a loss, as runs, with the targets and each part's share of them. */
export interface TargetLayout {
  readonly runs: readonly RowRange[];
  readonly targets: Int32Array;
  /** Weight of each target in the loss: its part's `lossScale`. */
  readonly weights: Float32Array;
  /** Number of targets of each part, in the batch's order. */
  readonly counts: readonly number[];
}

/** Finds the positions that carry a loss; only they need the final norm and the LM head. */
export const layOutTargets = ({ parts }: PackedBatch): TargetLayout => {
  const runs: { start: number; count: number }[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  let position = 0;
  const counts = parts.map(({ rows, lossScale }) => {
    const before = targets.length;
    for (const target of rows.flatMap((row) => Array.from(row.targets))) {
      if (target !== NO_TARGET) {
        targets.push(target);
        weights.push(lossScale);
        extendRuns(runs, position);
      }
      position++;
    }
    return targets.length - before;
  });
  return { runs, targets: Int32Array.from(targets), weights: Float32Array.from(weights), counts };
};

const extendRuns = (runs: { start: number; count: number }[], position: number): void => {
  const last = runs.at(-1);
  if (last !== undefined && last.start + last.count === position) last.count++;
  else runs.push({ start: position, count: 1 });
};

/** All token ids of a microbatch in packed order. */
export const packTokens = ({ parts }: PackedBatch): Int32Array =>
  Int32Array.from(parts.flatMap(({ rows }) => rows.flatMap(({ tokens }) => Array.from(tokens))));
