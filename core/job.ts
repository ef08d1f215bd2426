import type { Nanoseconds } from './units.ts';
import type { ModuleName } from './model/model.ts';

/** How an adapter changes its target modules: h = Wx + scale·B·A·x. */
export interface LoraAdapter {
  /** `rslora` differs from `lora` in its scale only: alpha/√rank instead of alpha/rank (Kalajdzievski 2023). */
  readonly type: 'lora' | 'rslora';
  readonly rank: number;
  readonly alpha: number;
  /** Probability that an element of the low-rank path's input is zeroed during training. */
  readonly dropout: number;
  readonly targetModules: readonly ModuleName[];
}

export type Adapter = LoraAdapter;

/** Factor in front of B·A·x. */
export const adapterScale = (adapter: Adapter): number =>
  adapter.alpha / (adapter.type === 'rslora' ? Math.sqrt(adapter.rank) : adapter.rank);

/** AdamW with PyTorch's semantics (decoupled weight decay, bias correction, epsilon outside the root). */
export interface AdamW {
  readonly type: 'adamw';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

export type Optimizer = AdamW;

/**
 * Row lengths in tokens, drawn from the job's seed, for planning and simulating without data. Lognormal: `mean` of the
 * lengths and `sigma` of their logarithm, before clipping to [1, maximum].
 */
export type LengthDistribution =
  | { readonly type: 'fixed'; readonly length: number }
  | { readonly type: 'uniform'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'lognormal'; readonly mean: number; readonly sigma: number; readonly maximum: number };

export type JobData =
  | {
      readonly kind: 'files';
      /** JSONL of training rows, relative to the experiment file. */
      readonly train: string;
      /** JSONL of rows that never enter training; absent: no evaluation. */
      readonly heldout: string | null;
      /** Jinja templates over a row: the prompt carries no loss, the completion does. */
      readonly prompt: string;
      readonly completion: string;
      /** Rows longer than this many tokens are cut at the end. */
      readonly maximumLength: number;
    }
  | { readonly kind: 'synthetic'; readonly lengths: LengthDistribution; readonly rows: number };

export type JobDuration =
  | { readonly kind: 'iterations'; readonly iterations: number }
  | { readonly kind: 'epochs'; readonly epochs: number };

/** One fine-tuning task; it trains one adapter. */
export interface Job {
  readonly name: string;
  readonly adapter: Adapter;
  readonly data: JobData;
  /** Rows of one mini-batch. */
  readonly batchSize: number;
  readonly duration: JobDuration;
  readonly optimizer: Optimizer;
  readonly seed: number;
  /** Larger runs first. */
  readonly priority: number;
  readonly arrivalNs: Nanoseconds;
}
