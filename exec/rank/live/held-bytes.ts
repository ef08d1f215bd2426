import type { Op } from '../../../core/plan/op.ts';
import type { OpBytes } from '../execution.ts';

/** Rows of one adapter in a microbatch. */
export interface HeldPart {
  readonly adapter: number;
  /** Piece of the adapter's mini-batch. */
  readonly index: number;
  readonly tokens: number;
}

/**
 * What each adapter holds on each stage, measured: parameters, optimizer, gradients, and what forwards keep for backwards.
 * Of a microbatch that several adapters share each counts for its tokens. After a step an adapter holds what it was loaded
 * with: what is freed in between ops, or shared out by tokens though it is one adapter's, does not add up over iterations.
 */
export interface HeldBytes {
  readonly computed: (op: Op, bytes: OpBytes) => void;
  /** The most that an adapter held on a stage between two ops since the last time it was asked. */
  readonly takePeak: (stage: number, adapter: number) => HeldPeak;
}

export interface HeldPeak {
  readonly bytes: number;
  /** Pieces of the mini-batch that were in flight then. */
  readonly pieces: readonly number[];
}

interface Holding {
  bytes: number;
  peak: HeldPeak;
  /** Pieces between their forward and their backward. */
  readonly inFlight: Set<number>;
  /** When it was loaded. */
  loaded: number;
  /** Its gradient is there. */
  hasGradient: boolean;
}

export interface HeldBytesSource {
  /** None of a microbatch that is only evaluated: nothing is kept of it. */
  readonly partsOf: (microbatch: number) => readonly HeldPart[];
  /** Size of an adapter's gradient on a stage. */
  readonly gradientBytes: (stage: number, adapter: number) => number;
}

export const createHeldBytes = ({ partsOf, gradientBytes }: HeldBytesSource): HeldBytes => {
  const holdings = new Map<string, Holding>();
  const holdingOf = (stage: number, adapter: number): Holding => {
    const name = `${stage}/${adapter}`;
    const known = holdings.get(name) ?? { bytes: 0, peak: { bytes: 0, pieces: [] }, inFlight: new Set<number>(), loaded: 0, hasGradient: false };
    holdings.set(name, known);
    return known;
  };
  const add = (stage: number, adapter: number, change: number): void => {
    const holding = holdingOf(stage, adapter);
    holding.bytes += change;
    if (holding.bytes > holding.peak.bytes) holding.peak = { bytes: holding.bytes, pieces: [...holding.inFlight] };
  };
  const share = (stage: number, microbatch: number, change: number): void => {
    const parts = partsOf(microbatch);
    const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
    for (const part of parts) add(stage, part.adapter, (change * part.tokens) / tokens);
  };
  /** Gradients are there before what the forward kept is gone. Returns the bytes of those that are new. */
  const addGradients = (stage: number, microbatch: number): number => {
    let bytes = 0;
    for (const { adapter } of partsOf(microbatch)) {
      const holding = holdingOf(stage, adapter);
      if (holding.hasGradient) continue;
      holding.hasGradient = true;
      add(stage, adapter, gradientBytes(stage, adapter));
      bytes += gradientBytes(stage, adapter);
    }
    return bytes;
  };
  return {
    computed: (op, { held, input, output }) => {
      const change = held - output + input;
      switch (op.kind) {
        case 'forward':
          for (const { adapter, index } of partsOf(op.microbatch)) holdingOf(op.stage, adapter).inFlight.add(index);
          return share(op.stage, op.microbatch, change);
        case 'backward':
          share(op.stage, op.microbatch, change - addGradients(op.stage, op.microbatch));
          for (const { adapter, index } of partsOf(op.microbatch)) holdingOf(op.stage, adapter).inFlight.delete(index);
          return;
        case 'load':
          add(op.stage, op.adapter, change);
          holdingOf(op.stage, op.adapter).loaded = change;
          return;
        case 'step': {
          const holding = holdingOf(op.stage, op.adapter);
          holding.bytes = holding.loaded;
          holding.hasGradient = false;
          return;
        }
        case 'release':
          holdings.delete(`${op.stage}/${op.adapter}`);
          return;
        default:
          return;
      }
    },
    takePeak: (stage, adapter) => {
      const holding = holdingOf(stage, adapter);
      const { bytes, pieces } = holding.peak;
      holding.peak = { bytes: holding.bytes, pieces: [...holding.inFlight] };
      return { bytes: Math.round(bytes), pieces };
    },
  };
};
