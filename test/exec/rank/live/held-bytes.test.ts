import { describe, expect, it } from 'vitest';
import type { Op } from '../../../../core/plan/op.ts';
import { createHeldBytes, type HeldPart } from '../../../../exec/rank/live/held-bytes.ts';

const GRADIENT = 10;
const LOADED = 30;

/** Microbatch m holds piece m of adapter 0, and from 10 on a piece of adapter 1 too, three times as long. */
const partsOf = (microbatch: number): readonly HeldPart[] => {
  const own = { adapter: 0, index: microbatch % 10, tokens: 100 };
  return microbatch < 10 ? [own] : [own, { adapter: 1, index: microbatch % 10, tokens: 300 }];
};
const open = (adapters: readonly number[]) => {
  const held = createHeldBytes({ partsOf, gradientBytes: (_, adapter) => GRADIENT * (1 + adapter) });
  const note = (op: Op, bytes: number): void => held.computed(op, { held: bytes, input: 0, output: 0 });
  for (const adapter of adapters) note({ kind: 'load', stage: 0, adapter }, LOADED);
  return { held, note };
};
const forward = (microbatch: number): Op => ({ kind: 'forward', stage: 0, microbatch });
const backward = (microbatch: number): Op => ({ kind: 'backward', stage: 0, microbatch });
const step = (adapter: number): Op => ({ kind: 'step', stage: 0, adapter, iteration: 0 });

describe('what an adapter holds', () => {
  it('peaks with its gradient beside the activations of the pieces that are in flight', () => {
    const { held, note } = open([0]);
    note(forward(0), 40);
    note(backward(0), GRADIENT - 40);
    note(forward(1), 50);
    note(forward(2), 60);
    note(backward(1), -50);
    note(backward(2), -60);
    expect(held.takePeak(0, 0)).toEqual({ bytes: LOADED + GRADIENT + 50 + 60, pieces: [1, 2] });
  });

  it('is what it was loaded with after every step, though it shares microbatches with an adapter of another size', () => {
    const { held, note } = open([0, 1]);
    const peaks = Array.from({ length: 5 }, () => {
      note(forward(10), 400);
      note(backward(10), 3 * GRADIENT - 400);
      note(step(0), -GRADIENT);
      note(step(1), -2 * GRADIENT);
      return [held.takePeak(0, 0), held.takePeak(0, 1)].map(({ bytes }) => bytes);
    });
    expect(peaks).toEqual(peaks.map(() => [LOADED + GRADIENT + 100, LOADED + 2 * GRADIENT + 300]));
  });
});
