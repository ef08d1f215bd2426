import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MicrobatchShape, ShapePart } from '../../../core/plan/plan.ts';
import { tabulateAffine } from '../../../core/work/affine-work.ts';
import { kernelBytes, kernelFlops, type Kernel } from '../../../core/work/kernel.ts';
import type { StageContent, WorkSetting } from '../../../core/work/setting.ts';
import { backwardWork, forwardWork } from '../../../core/work/stage.ts';
import { EVERY_MODULE, PAPER_ADAPTER, settingOf } from './settings.ts';

const numbersOf = (kernels: readonly Kernel[]): number[] =>
  kernels.flatMap((kernel) => [kernelFlops(kernel), kernelBytes(kernel), kernel.count, kernel.kind === 'random' ? kernel.elements : 0]);

const count = fc.integer({ min: 1, max: 5000 });
const part: fc.Arbitrary<ShapePart> = fc.record(
  { adapter: fc.integer({ min: 0, max: 1 }), rows: count, tokens: count, squaredTokens: count, targets: count },
  { requiredKeys: ['adapter', 'rows', 'tokens', 'squaredTokens'] },
);
const shapes = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts): MicrobatchShape => ({ parts }));
const contents: fc.Arbitrary<StageContent> = fc.record({
  layerCount: fc.integer({ min: 1, max: 3 }),
  embedding: fc.boolean(),
  head: fc.boolean(),
});
const settings: fc.Arbitrary<WorkSetting> = fc
  .record({ elementwise: fc.constantFrom('eager', 'fused', 'tfjs'), attention: fc.constantFrom('scores', 'flash') })
  .map((changes) => ({ ...settingOf('TinyLlama-1.1B', [{ ...EVERY_MODULE, dropout: 0.1 }, PAPER_ADAPTER]), ...changes }));

describe('a table of affine work', () => {
  it.each([
    ['forward', forwardWork],
    ['backward', backwardWork],
  ])('gives the numbers of the full description of a %s for any stage and shapes', (_, work) => {
    fc.assert(
      fc.property(settings, contents, fc.array(shapes, { minLength: 1, maxLength: 5 }), (setting, content, several) => {
        const describeWork = (shape: MicrobatchShape): number[] => numbersOf(work(setting, content, shape));
        const table = tabulateAffine(describeWork);
        for (const shape of several) {
          const direct = describeWork(shape);
          const tabulated = table(shape);
          expect(tabulated.length).toBe(direct.length);
          const wrong = direct.filter((value, index) => Math.abs(tabulated[index]! - value) > 1e-9 * Math.abs(value));
          expect(wrong).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is made once for the same adapters, not once per shape', () => {
    let calls = 0;
    const table = tabulateAffine(({ parts }) => {
      calls++;
      return [parts[0]!.tokens];
    });
    for (let tokens = 1; tokens <= 100; tokens++) {
      expect(table({ parts: [{ adapter: 0, rows: 1, tokens, squaredTokens: 0 }] })[0]).toBe(tokens);
    }
    expect(calls).toBe(5);
  });

  it('is made once for adapters of one kind, and anew for every other kind', () => {
    let calls = 0;
    const kindOf = (adapter: number): number => adapter % 2;
    const table = tabulateAffine(
      ({ parts }) => {
        calls++;
        return [parts[0]!.tokens * (1 + kindOf(parts[0]!.adapter))];
      },
      { kindOf },
    );
    for (let adapter = 0; adapter < 20; adapter++) {
      expect(table({ parts: [{ adapter, rows: 1, tokens: 7, squaredTokens: 0 }] })[0]).toBe(7 * (1 + kindOf(adapter)));
    }
    expect(calls).toBe(10);
  });
});
