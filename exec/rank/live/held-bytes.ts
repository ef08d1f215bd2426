import type { Op } from '../../../core/plan/op.ts';
import type { OpBytes } from '../execution.ts';

/** Rows of one adapter in a microbatch. */
export interface HeldPart {
  readonly adapter: number;
  readonly tokens: number;
}

/**
 * What each adapter holds on each stage, measured: parameters, optimizer, gradients, and what forwards keep for backwards.
 * Of a microbatch that several adapters share each counts for its tokens.
 */
export interface HeldBytes {
  readonly computed: (op: Op, bytes: OpBytes) => void;
  /** The most that an adapter held on a stage between two ops since the last time it was asked. */
  readonly takePeak: (stage: number, adapter: number) => number;
}

interface Holding {
  bytes: number;
  peak: number;
}

export const createHeldBytes = (partsOf: (microbatch: number) => readonly HeldPart[]): HeldBytes => {
  const holdings = new Map<string, Holding>();
  /** Bytes kept by forwards, until their backward. */
  const kept = new Map<string, number>();
  const holdingOf = (stage: number, adapter: number): Holding => {
    const name = `${stage}/${adapter}`;
    const known = holdings.get(name) ?? { bytes: 0, peak: 0 };
    holdings.set(name, known);
    return known;
  };
  const add = (stage: number, adapter: number, change: number): void => {
    const holding = holdingOf(stage, adapter);
    holding.bytes += change;
    holding.peak = Math.max(holding.peak, holding.bytes);
  };
  const share = (stage: number, microbatch: number, change: number): void => {
    const parts = partsOf(microbatch);
    const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
    for (const part of parts) add(stage, part.adapter, (change * part.tokens) / tokens);
  };
  return {
    computed: (op, { held, input, output }) => {
      const change = held - output + input;
      switch (op.kind) {
        case 'forward':
          kept.set(`${op.stage}/${op.microbatch}`, change);
          return share(op.stage, op.microbatch, change);
        case 'backward': {
          // Gradients are there before what the forward kept is gone.
          const name = `${op.stage}/${op.microbatch}`;
          const activations = kept.get(name) ?? 0;
          kept.delete(name);
          share(op.stage, op.microbatch, change + activations);
          return share(op.stage, op.microbatch, -activations);
        }
        case 'load':
        case 'step':
          return add(op.stage, op.adapter, change);
        case 'release':
          holdings.delete(`${op.stage}/${op.adapter}`);
          return;
        default:
          return;
      }
    },
    takePeak: (stage, adapter) => {
      const holding = holdingOf(stage, adapter);
      const { peak } = holding;
      holding.peak = holding.bytes;
      return Math.round(peak);
    },
  };
};
