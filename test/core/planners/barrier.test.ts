import { describe, expect, test } from 'vitest';
import { planGpipe, planOneForwardOneBackward } from '../../../core/planners/barrier.ts';
import { replayCompute } from '../../../core/plan/replay.ts';
import type { Plan } from '../../../core/plan/plan.ts';
import { formatProgram } from '../../../core/plan/text.ts';
import { validate } from '../../../core/plan/validate.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { deviceNames, heldoutEvery, oneLayerStages, unitCost, workload } from './workloads.ts';

const bubbleOf = (plan: Plan, forwardNs: number, backwardNs: number): number => {
  const times = replayCompute(plan, unitCost({ forwardNs, backwardNs }), () => 0);
  const makespan = Math.max(...times.map(({ endNs }) => endNs[endNs.length - 1]!));
  return 1 - (plan.microbatches.length * (forwardNs + backwardNs)) / makespan;
};

describe.each([
  ['GPipe', planGpipe],
  ['1F1B', planOneForwardOneBackward],
])('%s', (_name, plan) => {
  test.each([100, 115, 200])('has bubble ratio (D − 1)/(N + D − 1) for all D, N, L from 1 to 8 (T_b = %i, T_f = 100)', (backwardNs) => {
    for (let D = 1; D <= 8; D++) {
      for (let N = 1; N <= 8; N++) {
        for (let L = 1; L <= 8; L++) {
          const made = plan(workload({ adapters: L, microbatches: N, iterations: 2 }), deviceNames(D), oneLayerStages(D));
          expect(bubbleOf(made, 100, backwardNs)).toBeCloseTo((D - 1) / (N + D - 1), 12);
        }
      }
    }
  });

  test('makes valid plans for any number of stages, microbatches and adapters', () => {
    for (let D = 1; D <= 5; D++) {
      for (let N = 1; N <= 5; N++) {
        for (const extras of [{}, { clips: () => true, evaluation: () => heldoutEvery(2, 3) }]) {
          const made = plan(workload({ adapters: 2, microbatches: N, iterations: 3, ...extras }), deviceNames(D), oneLayerStages(D));
          const lowered = lowerTransfers(made, unitCost({ forwardNs: 10, backwardNs: 13 }), () => 3);
          expect(validate(lowered)).toEqual([]);
        }
      }
    }
  });
});

describe('order of one stage', () => {
  const small = workload({ adapters: 1, microbatches: 4, iterations: 1 });
  const lines = (plan: Plan): string[] => plan.programs.map((program) => formatProgram(program).replace(/ \d+(SAVE|RELEASE)\d+/g, ''));

  test('GPipe runs all forwards, then all backwards', () => {
    expect(lines(planGpipe(small, deviceNames(2), oneLayerStages(2)))).toEqual([
      '0LOAD0 0F0 0F1 0F2 0F3 0B0 0B1 0B2 0B3 0STEP0.0',
      '1LOAD0 1F0 1F1 1F2 1F3 1B0 1B1 1B2 1B3 1STEP0.0',
    ]);
  });

  test('1F1B warms up with D − 1 − s forwards, then takes one forward and one backward in turn', () => {
    expect(lines(planOneForwardOneBackward(small, deviceNames(3), oneLayerStages(3)))).toEqual([
      '0LOAD0 0F0 0F1 0F2 0B0 0F3 0B1 0B2 0B3 0STEP0.0',
      '1LOAD0 1F0 1F1 1B0 1F2 1B1 1F3 1B2 1B3 1STEP0.0',
      '2LOAD0 2F0 2B0 2F1 2B1 2F2 2B2 2F3 2B3 2STEP0.0',
    ]);
  });

  test('held-out rows pass while a stage waits for gradients, and steps wait for the norm that clips them', () => {
    const work = workload({ adapters: 1, microbatches: 2, iterations: 2, clips: () => true, evaluation: () => heldoutEvery(1, 1) });
    const made = planOneForwardOneBackward(work, deviceNames(2), oneLayerStages(2));
    expect(lines(made)).toEqual([
      '0LOAD0 0F0 0F1 0B0 0B1 0NORM0.0 0STEP0.0 0F2 0F3 0F4 0B2 0B3 0NORM0.1 0STEP0.1',
      '1LOAD0 1F0 1B0 1F1 1B1 1NORM0.0 1STEP0.0 1F2 1B2 1F3 1B3 1F4 1NORM0.1 1STEP0.1',
    ]);
  });

  test('jobs run in the order they arrive, higher priority first where they arrive together', () => {
    const base = workload({ adapters: 3, microbatches: 1, iterations: 1 });
    const [first, second, third] = base.adapters;
    const jobs = { adapters: [{ ...first!, arrivalNs: 9 }, second!, { ...third!, priority: 1 }] };
    const made = planGpipe(jobs, deviceNames(1), oneLayerStages(1));
    expect(formatProgram(made.programs[0]!)).toMatch(/0LOAD2.*0LOAD1.*0LOAD0/);
  });
});
