/** What names a tensor on its way: `forward` frames carry hidden states, `backward` frames input gradients. */
export interface FrameKey {
  readonly direction: 'forward' | 'backward';
  /** Stage that takes the frame in. */
  readonly stage: number;
  readonly microbatch: number;
}

/** A tensor between two stages: float32 values, row-major. */
export interface TensorFrame extends FrameKey {
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** When the sender handed it over, on the run's common clock. */
  readonly sentNs: number;
}

/** What names a stage's share of the norm of an adapter's gradient in an iteration. */
export interface NormKey {
  readonly direction: 'norm';
  /** Stage whose share it is. */
  readonly stage: number;
  readonly adapter: number;
  readonly iteration: number;
}

/** A stage's share: Σ g² over its part of the gradient. */
export interface NormFrame extends NormKey {
  readonly squaredNorm: number;
  readonly sentNs: number;
}

/** Tells the sender of a stage's tensors how many of them have been taken so far: it may have only so many under way. */
export interface CreditFrame {
  readonly direction: 'credit';
  readonly of: FrameKey['direction'];
  /** Stage that takes the tensors in. */
  readonly stage: number;
  readonly taken: number;
  readonly sentNs: number;
}

export type Frame = TensorFrame | NormFrame | CreditFrame;

/** Carries tensors and norms from one rank to the others. A failure of the connection rejects every pending and later call. */
export interface Transport {
  /** Resolves when the frame has been handed over, not when it has arrived; its values must not change any more. */
  readonly send: (to: number, frame: TensorFrame | NormFrame) => Promise<void>;
  /** The frame of that name, as soon as it is there; each frame can be received once. */
  readonly receive: (key: FrameKey) => Promise<TensorFrame>;
  readonly receiveNorm: (key: NormKey) => Promise<NormFrame>;
  readonly close: () => void;
}

/** The frame's name as one word, e.g. `forward:1:17`. */
export const frameName = ({ direction, stage, microbatch }: FrameKey): string => `${direction}:${stage}:${microbatch}`;

/** The share's name as one word, e.g. `norm:1:0.17`. */
export const normName = ({ stage, adapter, iteration }: NormKey): string => `norm:${stage}:${adapter}.${iteration}`;
