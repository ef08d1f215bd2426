import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Adapter, Optimizer } from '../core/job.ts';
import type { PackedBatch } from './packed-batch.ts';

/** Everything a stage needs to hold one adapter: its form, its optimizer and where its first values come from. */
export interface AdapterSetup {
  readonly index: number;
  readonly name: string;
  readonly adapter: Adapter;
  readonly optimizer: Optimizer;
  /** Optimizer steps of the whole job: where its learning-rate schedule ends. */
  readonly iterations: number;
  /** Initial values and dropout masks depend on the seed, the layer, the module and the step, never on the stage cut. */
  readonly seed: number;
}

/** A named tensor off the device: PEFT's key, row-major values. */
export interface NamedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** An adapter that has made `iteration` steps: its weights, and its optimizer's vectors as far as it is to go on. */
export interface AdapterState {
  readonly iteration: number;
  readonly tensors: readonly NamedArray[];
}

/** Loss of one part of a microbatch: the sum over its targets times the part's `lossScale`, so that the microbatches of a mini-batch add up to its mean. */
export interface PartLoss {
  readonly adapter: number;
  readonly loss: number;
}

/**
 * What a forward returns: hidden states for the next stage, or the losses on the last one. Losses are a promise because
 * reading them back makes a GPU wait; nothing else depends on them, so the next op may start before they are there.
 */
export type ForwardResult =
  | { readonly kind: 'hidden'; readonly hidden: Tensor2D }
  | { readonly kind: 'loss'; readonly losses: Promise<readonly PartLoss[]> };

/**
 * A contiguous range of layers with the adapters loaded on it. Forward and backward of a microbatch are separate calls,
 * far apart in time; what the backward needs is kept inside, by microbatch, until its backward has run.
 * The caller owns tensors it gets and disposes them; the stage owns what it keeps, and takes over `input` and `gradient`.
 */
export interface Stage {
  /** An adapter that has made `steps` steps needs its `state` as `initial`; weights are enough for evaluation. */
  readonly load: (setup: AdapterSetup, initial?: readonly NamedArray[], steps?: number) => void;
  /** `input` is null on the first stage. With `keep: false` (evaluation) nothing is saved and dropout is off. */
  readonly forward: (batch: PackedBatch, input: Tensor2D | null, options: { readonly keep: boolean }) => ForwardResult;
  /** `gradient` is null on the last stage; returns the input gradient, null on the first stage. Accumulates adapter gradients. */
  readonly backward: (microbatch: number, gradient: Tensor2D | null) => Tensor2D | null;
  /** Σ g² over an adapter's accumulated gradient on this stage; over all stages it is the square of the gradient's norm. */
  readonly squaredGradientNorm: (adapter: number) => Promise<number>;
  /**
   * One optimizer step of an adapter from its accumulated gradients, which it clears. An adapter whose optimizer has a
   * `maxGradientNorm` needs the norm of its gradient over all stages.
   */
  readonly step: (adapter: number, gradientNorm?: number) => void;
  /** The adapter's weights on this stage under PEFT's names. */
  readonly weights: (adapter: number) => Promise<readonly NamedArray[]>;
  /** Weights and optimizer vectors between two steps: with the number of steps all that its further training depends on. */
  readonly state: (adapter: number) => Promise<readonly NamedArray[]>;
  readonly release: (adapter: number) => void;
  readonly dispose: () => void;
}
