/** Target of a token position that carries no loss. */
export const NO_TARGET = -1;

/** One training row: `targets[i]` is the token that position i should predict, or NO_TARGET. Same length. */
export interface Row {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

/** Rows of one adapter inside a microbatch. */
export interface BatchPart {
  readonly adapter: number;
  readonly rows: readonly Row[];
  /** 1 ÷ number of targets in the adapter's whole mini-batch, so that accumulated gradients equal the full batch's. */
  readonly lossScale: number;
}

/**
 * A microbatch as the stages see it: rows are packed one after another without padding, so hidden states are
 * `[tokens, hidden]` and the rows of part p are contiguous. Stages without head or embedding need the lengths only.
 */
export interface PackedBatch {
  readonly microbatch: number;
  readonly parts: readonly BatchPart[];
}
