import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASSES, type MemoryClass } from '../../../core/cost-model.ts';
import { parseOp } from '../../../core/plan/text.ts';
import type { MemoryTable } from '../../../core/trace/trace.ts';
import { createMemoryLedger, type MemoryLedger } from '../../../exec/rank/memory-ledger.ts';

const PARAMETERS = 100;
const newLedger = (): MemoryLedger => createMemoryLedger(3, () => PARAMETERS);

const held = (table: MemoryTable): Partial<Record<MemoryClass, number>> => {
  const last: Partial<Record<MemoryClass, number>> = {};
  for (let row = 0; row < table.length; row++) last[MEMORY_CLASSES[table.memoryClass[row]!]!] = table.bytes[row]!;
  return last;
};

/** A training iteration on a middle stage: each entry is an op, the change of all bytes, and what went in and out. */
const ITERATION: readonly (readonly [op: string, held: number, input: number, output: number])[] = [
  ['1LOAD0', 3 * PARAMETERS, 0, 0],
  ['1F0', 500 - 20 + 20, 20, 20],
  ['1F1', 700 - 20 + 20, 20, 20],
  ['1B0', -500 + PARAMETERS - 20 + 20, 20, 20],
  ['1B1', -700 - 20 + 20, 20, 20],
  ['1STEP0.0', -PARAMETERS, 0, 0],
  ['1RELEASE0', -3 * PARAMETERS, 0, 0],
];

const play = (ledger: MemoryLedger, count: number): void =>
  ITERATION.slice(0, count).forEach(([text, change, input, output], time) =>
    ledger.computed(parseOp(text)!, time, { held: change, input, output }),
  );

describe('the memory ledger', () => {
  it('gives each op’s bytes to the class its kind changes', () => {
    const after = (count: number): Partial<Record<MemoryClass, number>> => {
      const ledger = newLedger();
      play(ledger, count);
      return held(ledger.take());
    };
    expect(after(1)).toEqual({ adapters: 100, optimizer: 200 });
    expect(after(3)).toMatchObject({ activations: 1200 });
    expect(after(4)).toMatchObject({ activations: 700, gradients: 100 });
    expect(after(5)).toMatchObject({ activations: 0, gradients: 100 });
    expect(after(6)).toMatchObject({ adapters: 100, optimizer: 200, gradients: 0 });
    expect(after(7)).toEqual({ adapters: 0, optimizer: 0, gradients: 0, activations: 0 });
  });

  it('accounts for every byte: all classes together are what the backend holds', () => {
    const ledger = newLedger();
    const transfers = [20, 20, 20, 20];
    transfers.forEach((bytes) => ledger.hold('communication', 0, bytes));
    play(ledger, 4);
    const total = Object.values(held(ledger.take())).reduce((sum, bytes) => sum + bytes, 0);
    const measured = ITERATION.slice(0, 4).reduce((sum, [, change]) => sum + change, 0);
    expect(total).toBe(measured + 80);
  });

  it('writes a row for each change, in order of time, with the device', () => {
    const changes = fc.array(fc.record({ at: fc.nat(100), bytes: fc.integer({ min: 1, max: 9 }) }));
    fc.assert(
      fc.property(changes, (list) => {
        const ledger = newLedger();
        const times = list.map(({ at }) => at).sort((a, b) => a - b);
        list.forEach(({ bytes }, i) => ledger.hold('communication', times[i]!, bytes));
        ledger.hold('communication', 101, 0);
        const table = ledger.take();
        expect([...table.timeNs]).toEqual(times);
        expect([...table.device]).toEqual(times.map(() => 3));
      }),
    );
  });
});
