import type { Nanoseconds } from './units.ts';
import type { ModuleName } from './model/model.ts';
import type { Halving } from './scheduler/halving.ts';
import type { Patience } from './scheduler/patience.ts';

interface AdapterBasics {
  readonly rank: number;
  /** Probability that an element of the low-rank path's input is zeroed during training. */
  readonly dropout: number;
  readonly targetModules: readonly ModuleName[];
}

/** How an adapter changes its target modules: h = Wx + scale·B·A·x. */
export interface LoraAdapter extends AdapterBasics {
  /**
   * `rslora` differs from `lora` in its scale only: alpha/√rank instead of alpha/rank (Kalajdzievski 2023). `dora` also
   * trains the length of every row of W + scale·B·A, the magnitude (Liu et al. 2024).
   */
  readonly type: 'lora' | 'rslora' | 'dora';
  readonly alpha: number;
}

/** The generator of the projections takes 32 bits. */
export const LARGEST_PROJECTION_SEED = 2 ** 32 - 1;

/** h = Wx + b∘(B·(d∘(A·x))): A and B are random, frozen and shared by all modules; vectors d, b train (Kopiczko et al. 2024). */
export interface VeraAdapter extends AdapterBasics {
  readonly type: 'vera';
  /** A and B are what PEFT draws from its `projection_prng_key` of this value. */
  readonly projectionSeed: number;
  /** First value of every element of d; b starts at 0. */
  readonly initialScale: number;
}

export type Adapter = LoraAdapter | VeraAdapter;

/** Factor in front of the low-rank path. */
export const adapterScale = (adapter: Adapter): number => {
  if (adapter.type === 'vera') return 1;
  return adapter.alpha / (adapter.type === 'rslora' ? Math.sqrt(adapter.rank) : adapter.rank);
};

/**
 * How the learning rate changes over the steps of a job: it rises linearly over `warmup` steps, then stays, falls
 * linearly to 0 at the job's last step, or follows half a cosine down to 0 there.
 */
export interface LearningRateSchedule {
  readonly type: 'constant' | 'linear' | 'cosine';
  /** In optimizer steps. */
  readonly warmup: number;
}

/** What every optimizer knows of its step sizes. */
export interface StepSizes {
  readonly learningRate: number;
  /**
   * Learning rate of what lies behind the rank (B, magnitudes, scaling vectors) over that of A; 1 is plain LoRA, LoRA+
   * takes about 16 (Hayou et al. 2024).
   */
  readonly learningRateRatio: number;
  /** The gradient of each step is scaled down to this norm over all of the adapter's tensors; null: it is taken as it is. */
  readonly maxGradientNorm: number | null;
  readonly schedule: LearningRateSchedule;
}

/** AdamW with PyTorch's semantics (decoupled weight decay, bias correction, epsilon outside the root). */
export interface AdamW extends StepSizes {
  readonly type: 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Stochastic gradient descent with PyTorch's semantics: weight decay joins the gradient, momentum is not dampened. */
export interface Sgd extends StepSizes {
  readonly type: 'sgd';
  readonly momentum: number;
  readonly weightDecay: number;
}

export type Optimizer = AdamW | Sgd;

/**
 * Row lengths in tokens, drawn from the job's seed, for planning and simulating without data. Lognormal: `mean` of the
 * lengths and `sigma` of their logarithm, before clipping to [1, maximum].
 */
export type LengthDistribution =
  | { readonly type: 'fixed'; readonly length: number }
  | { readonly type: 'uniform'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'lognormal'; readonly mean: number; readonly sigma: number; readonly maximum: number };

/**
 * How a row of a file becomes text: Jinja templates over its fields, or the model's own chat template over its list
 * `messages`. Prompts carry no loss; completions and the assistant's turns do.
 */
export type RowFormat =
  | { readonly format: 'template'; readonly prompt: string; readonly completion: string }
  | { readonly format: 'chat' };

/** Rows in files: JSONL, JSON, CSV or Parquet by the file's ending; paths are relative to the experiment file. */
export type FileData = RowFormat & {
  readonly kind: 'files';
  readonly train: string;
  /** File of rows that never enter training; null: those of `split`, or no evaluation. */
  readonly heldout: string | null;
  /** Fraction of the training file that is held out instead, drawn from the job's seed; 0: none. */
  readonly split: number;
  /** Whether prompts carry loss too. */
  readonly loss: 'completion' | 'all';
  /** Order of the rows in each epoch: from the job's seed, or longest first. */
  readonly order: 'shuffled' | 'length';
  /** Rows longer than this many tokens are cut at the end. */
  readonly maximumLength: number;
};

export type JobData =
  | FileData
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
  /** Measures the held-out loss during training, after every `every` iterations; null: before and after it only. */
  readonly evaluate: { readonly every: number } | null;
  /** Early exit, where jobs are run by the task scheduler; absent: none. Needs `evaluate`. */
  readonly patience?: Patience;
  /** Sweep the job is a trial of, with early exit; absent: none. Needs `evaluate`. */
  readonly halving?: Halving;
  readonly seed: number;
  /** Larger runs first. */
  readonly priority: number;
  readonly arrivalNs: Nanoseconds;
}
