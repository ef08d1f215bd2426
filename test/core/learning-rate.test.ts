import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LearningRateSchedule } from '../../core/job.ts';
import { learningRateAt } from '../../core/learning-rate.ts';

const ratesOf = (schedule: LearningRateSchedule, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => learningRateAt({ learningRate: 1, learningRateRatio: 1, maxGradientNorm: null, schedule }, step, steps));

describe('the learning rate', () => {
  // get_scheduler(name, AdamW(lr=1), num_warmup_steps=3, num_training_steps=8) of transformers 4.38, before each step.
  it.each<[LearningRateSchedule['type'], readonly number[]]>([
    ['constant', [0, 1 / 3, 2 / 3, 1, 1, 1, 1, 1]],
    ['linear', [0, 1 / 3, 2 / 3, 1, 0.8, 0.6, 0.4, 0.2]],
    ['cosine', [0, 1 / 3, 2 / 3, 1, 0.904508497, 0.654508497, 0.345491503, 0.095491503]],
  ])('with warm-up goes as transformers’ %s schedule', (type, expected) => {
    ratesOf({ type, warmup: 3 }, 8).forEach((rate, step) => expect(rate, `step ${step}`).toBeCloseTo(expected[step]!, 8));
  });

  it('rises up to the end of the warm-up, never rises after it and stays within 0 and its top', () => {
    const arbitrary = fc.record({
      type: fc.constantFrom<LearningRateSchedule['type'][]>('constant', 'linear', 'cosine'),
      warmup: fc.nat(30),
      steps: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ type, warmup, steps }) => {
        ratesOf({ type, warmup }, steps).forEach((rate, step, rates) => {
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(1);
          if (step === 0) return;
          if (step <= warmup) expect(rate).toBeGreaterThan(rates[step - 1]!);
          else expect(rate).toBeLessThanOrEqual(rates[step - 1]!);
        });
      }),
    );
  });
});
