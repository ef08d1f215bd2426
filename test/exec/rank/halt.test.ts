import { describe, expect, it } from 'vitest';
import { createMicrobatchBuilder } from '../../../core/plan/builders.ts';
import type { Op } from '../../../core/plan/op.ts';
import { parseOp } from '../../../core/plan/text.ts';
import { createHalt, type Halt } from '../../../exec/rank/halt.ts';

const op = (token: string): Op => parseOp(token)!;

/** Adapter 0 has gone on from iteration 2 and has 4, adapter 1 is fresh and has 3; one microbatch per iteration: 0.2 1.0 0.3 1.1 1.2. */
const createExample = (): Halt => {
  const microbatches = createMicrobatchBuilder();
  const size = { rows: 1, tokens: 1, squaredTokens: 1 };
  for (const [adapter, iteration] of [[0, 2], [1, 0], [0, 3], [1, 1], [1, 2]] as const) {
    microbatches.push(adapter, [{ adapter, iteration, index: 0, ...size }]);
  }
  return createHalt(microbatches.build(), [{ first: 2, end: 4 }, { first: 0, end: 3 }]);
};

const perform = async (halt: Halt, tokens: string): Promise<void> => {
  for (const token of tokens.split(' ')) await halt.run(op(token), () => Promise.resolve());
};

describe('halting a program', () => {
  it('finishes the iterations that have begun at the first stage and skips the others', async () => {
    const halt = createExample();
    await perform(halt, '0LOAD0 0F0 0LOAD1 0F1 0B0 0STEP0.2');
    expect(halt.decide()).toEqual([3, 1]);
    const skipped = '0F2 0B2 0STEP0.3 0SAVE0 0RELEASE0 0F3 0SEND_F4 0STEP1.1'.split(' ');
    expect(skipped.filter((token) => !halt.skips(op(token)))).toEqual([]);
    expect('0B1 0STEP1.0 1RECV_F1 1SEND_B0'.split(' ').filter((token) => halt.skips(op(token)))).toEqual([]);
    expect(halt.open()).toEqual([{ stage: 0, adapter: 0, iteration: 3 }, { stage: 0, adapter: 1, iteration: 1 }]);
  });

  it('does not load an adapter that has not begun, nor keep one open that has made no step', async () => {
    const halt = createExample();
    await perform(halt, '0LOAD1 0F1 0LOAD0');
    expect(halt.decide()).toEqual([2, 1]);
    expect(halt.skips(op('1LOAD0'))).toBe(true);
    expect(halt.skips(op('1LOAD1'))).toBe(false);
    expect(halt.open()).toEqual([{ stage: 0, adapter: 1, iteration: 1 }]);
  });

  it('saves and releases an adapter whose last iteration has begun', async () => {
    const halt = createExample();
    await perform(halt, '0LOAD0 0F0 0STEP0.2 0F2');
    expect(halt.decide()).toEqual([4, 0]);
    await perform(halt, '0STEP0.3 0SAVE0 0RELEASE0');
    expect(halt.open()).toEqual([]);
  });

  it('gives up an op that waits for data which will not come', async () => {
    const halt = createExample();
    const waiting = halt.run(op('1RECV_F2'), () => new Promise<void>(() => undefined));
    halt.limit([3, 1]);
    await expect(waiting).resolves.toBeUndefined();
  });

  it('passes on what goes wrong in an op', async () => {
    const broken = createExample().run(op('0F0'), () => Promise.reject(new Error('broken')));
    await expect(broken).rejects.toThrow('broken');
  });
});
