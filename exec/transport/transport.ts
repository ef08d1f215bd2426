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

/** Carries tensors from one rank to the others. A failure of the connection rejects every pending and later call. */
export interface Transport {
  /** Resolves when the frame has been handed over, not when it has arrived; its values must not change any more. */
  readonly send: (to: number, frame: TensorFrame) => Promise<void>;
  /** The frame of that name, as soon as it is there; each frame can be received once. */
  readonly receive: (key: FrameKey) => Promise<TensorFrame>;
  readonly close: () => void;
}

/** The frame's name as one word, e.g. `forward:1:17`. */
export const frameName = ({ direction, stage, microbatch }: FrameKey): string => `${direction}:${stage}:${microbatch}`;
