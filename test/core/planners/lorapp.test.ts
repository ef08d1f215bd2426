import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extendLorapp, isComplete } from '../../../core/planners/lorapp.ts';
import { startLorapp, type LorappProblem } from '../../../core/planners/lorapp-state.ts';
import { createPlanWriter } from '../../../core/planners/plan-writer.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { replayCompute } from '../../../core/plan/replay.ts';
import type { Plan } from '../../../core/plan/plan.ts';
import { formatPlan } from '../../../core/plan/text.ts';
import { validate } from '../../../core/plan/validate.ts';
import { deviceNames, heldoutEvery, oneLayerStages, unitCost, workload, type WorkloadOptions } from './workloads.ts';

interface Setting extends WorkloadOptions {
  readonly stages: number;
  readonly forwardNs?: number;
  readonly backwardNs?: number;
  readonly options?: Partial<LorappProblem>;
}

const problemOf = (setting: Setting): LorappProblem => {
  const work = workload(setting);
  return {
    workload: work,
    groups: work.adapters.map((_, adapter) => [adapter]),
    deviceOfStage: oneLayerStages(setting.stages).map(({ device }) => device),
    cost: unitCost({ forwardNs: setting.forwardNs ?? 100, backwardNs: setting.backwardNs ?? 100, activationBytes: 1 }),
    transferNs: () => 0,
    memoryBudgets: oneLayerStages(setting.stages).map(() => Infinity),
    order: '1f1b',
    release: 'staggered',
    extraInFlight: 'auto',
    ...setting.options,
  };
};

const planWhole = (problem: LorappProblem): Plan => {
  const { workload: work } = problem;
  const stageCount = problem.deviceOfStage.length;
  const writer = createPlanWriter(work, deviceNames(stageCount), oneLayerStages(stageCount));
  const end = extendLorapp(problem, startLorapp(problem), writer);
  expect(isComplete(end)).toBe(true);
  return writer.build('lorapp');
};

const makespan = (setting: Setting): number => {
  const problem = problemOf(setting);
  const times = replayCompute(planWhole(problem), problem.cost, problem.transferNs);
  return Math.max(...times.map(({ endNs }) => endNs[endNs.length - 1]!));
};

/** Bubble ratio of the steady state: what doubling the iterations adds, against the work it adds. */
const steadyBubble = (setting: Omit<Setting, 'iterations'>): number => {
  const iterations = 8;
  const added = makespan({ ...setting, iterations: 2 * iterations }) - makespan({ ...setting, iterations });
  const { adapters, microbatches, forwardNs = 100, backwardNs = 100 } = setting;
  return 1 - (iterations * adapters * microbatches * (forwardNs + backwardNs)) / added;
};

/** Paper section 3.2. */
const paperBubble = (D: number, N: number, L: number): number => Math.max((D - 1 + N - L * N) / (D + N - 1), 0);

const missesOf = (release: 'staggered' | 'greedy', backwardNs: number): number[] => {
  const misses = [];
  for (let stages = 1; stages <= 8; stages++) {
    for (let microbatches = 1; microbatches <= 8; microbatches++) {
      for (let adapters = 1; adapters <= 8; adapters++) {
        const options = { release };
        const bubble = steadyBubble({ stages, microbatches, adapters, forwardNs: 100, backwardNs, options });
        misses.push(bubble - paperBubble(stages, microbatches, adapters));
      }
    }
  }
  return misses;
};

describe('LoRAPP', () => {
  test.each([100, 115, 200])('staggered release reaches the paper’s bubble ratio in all 512 cases (T_b = %i, T_f = 100)', (backwardNs) => {
    const misses = missesOf('staggered', backwardNs);
    expect(misses).toHaveLength(512);
    expect(Math.max(...misses.map(Math.abs))).toBeLessThan(1e-9);
  });

  test('greedy release, where adapters take turns, misses the formula by up to 0.31', () => {
    const missed = missesOf('greedy', 100).filter((miss) => miss > 1e-9);
    expect(missed.length).toBeGreaterThan(70);
    expect(Math.max(...missed)).toBeCloseTo(4 / 13, 6);
    expect(steadyBubble({ stages: 6, microbatches: 5, adapters: 2, options: { release: 'greedy' } })).toBeCloseTo(2 / 7, 6);
  });

  test.each([1, 10, 50, 100])('hides transfers of %i ns wherever a microbatch to spare can be on its way to each stage', (transferNs) => {
    const options = { transferNs: () => transferNs };
    for (let stages = 2; stages <= 5; stages++) {
      for (let microbatches = 1; microbatches <= 4; microbatches++) {
        for (let adapters = 1; adapters <= 8; adapters++) {
          if (adapters * microbatches < 2 * (stages - 1) + microbatches) continue;
          expect(steadyBubble({ stages, microbatches, adapters, options }), `${stages} stages, ${adapters} × ${microbatches}`).toBeCloseTo(0, 9);
        }
      }
    }
  });

  test('lets no more microbatches in than it can hold where transfers would want one more', () => {
    const passes = (options: Partial<LorappProblem>): string => formatPlan(planWhole(problemOf({ stages: 2, adapters: 4, microbatches: 1, iterations: 1, options }))).split('\n')[0]!.replace(/ 0(LOAD|STEP|SAVE|RELEASE)[\d.]+/g, '');
    const transferNs = (): number => 10;
    expect(passes({})).toBe('gpu0: 0F0 0F1 0B0 0F2 0B1 0F3 0B2 0B3');
    expect(passes({ transferNs })).toBe('gpu0: 0F0 0F1 0F2 0B0 0F3 0B1 0B2 0B3');
    expect(passes({ transferNs, memoryBudgets: [2, 2] })).toBe(passes({}));
    expect(passes({ transferNs, extraInFlight: 0 })).toBe(passes({}));
  });

  test('fills the bubbles of one adapter with another’s microbatches', () => {
    const plan = planWhole(problemOf({ stages: 2, adapters: 2, microbatches: 1, iterations: 2 }));
    expect(formatPlan(plan)).toBe(
      [
        'gpu0: 0LOAD0 0F0 0LOAD1 0F1 0B0 0STEP0.0 0F2 0B1 0STEP1.0 0F3 0B2 0STEP0.1 0SAVE0 0RELEASE0 0B3 0STEP1.1 0SAVE1 0RELEASE1',
        'gpu1: 1LOAD0 1F0 1B0 1STEP0.0 1LOAD1 1F1 1B1 1STEP1.0 1F2 1B2 1STEP0.1 1SAVE0 1RELEASE0 1F3 1B3 1STEP1.1 1SAVE1 1RELEASE1',
      ].join('\n'),
    );
  });

  test('in GPipe order runs all forwards of a mini-batch before its backwards', () => {
    const options = { order: 'gpipe' } as const;
    const plan = planWhole(problemOf({ stages: 2, adapters: 1, microbatches: 3, iterations: 1, options }));
    expect(formatPlan(plan)).toContain('1F0 1F1 1F2 1B0 1B1 1B2');
  });

  test('puts several adapters of a group into one microbatch and steps each', () => {
    const options = { groups: [[0, 1]] };
    const plan = planWhole(problemOf({ stages: 1, adapters: 2, microbatches: 1, iterations: 1, options }));
    expect(plan.microbatches.length).toBe(1);
    expect(formatPlan(plan)).toBe('gpu0: 0LOAD0 0LOAD1 0F0 0B0 0STEP0.0 0STEP1.0 0SAVE0 0RELEASE0 0SAVE1 0RELEASE1');
  });

  test('more microbatches in flight recover most of what unequal lengths lose', () => {
    // Lengths from a fixed pattern with a spread of about 0.5 around their mean.
    const part = (adapter: number, iteration: number, index: number) => {
      const tokens = 40 + ((adapter * 31 + iteration * 17 + index * 53) % 120);
      return { rows: 1, tokens, squaredTokens: tokens * tokens };
    };
    const unequal = { stages: 4, adapters: 4, microbatches: 4, iterations: 40, part };
    const strict = makespan({ ...unequal, options: { extraInFlight: 0 } });
    const deep = makespan({ ...unequal, options: { extraInFlight: 6 } });
    expect(deep / strict).toBeLessThan(0.85);
  });

  test('steps where gradients are clipped once their norm is known, and fills the wait with other adapters', () => {
    const clipped = { stages: 2, adapters: 2, microbatches: 1, iterations: 2, clips: () => true };
    expect(formatPlan(planWhole(problemOf(clipped)))).toBe(
      [
        'gpu0: 0LOAD0 0F0 0LOAD1 0F1 0B0 0NORM0.0 0STEP0.0 0F2 0B1 0NORM1.0 0STEP1.0 0F3 0B2 0NORM0.1 0STEP0.1 0SAVE0 0RELEASE0 0B3 0NORM1.1 0STEP1.1 0SAVE1 0RELEASE1',
        'gpu1: 1LOAD0 1F0 1B0 1NORM0.0 1LOAD1 1F1 1STEP0.0 1B1 1NORM1.0 1F2 1STEP1.0 1B2 1NORM0.1 1F3 1STEP0.1 1SAVE0 1RELEASE0 1B3 1NORM1.1 1STEP1.1 1SAVE1 1RELEASE1',
      ].join('\n'),
    );
    const steady = { stages: 4, adapters: 4, microbatches: 2 };
    expect(steadyBubble({ ...steady, clips: () => true })).toBeLessThan(steadyBubble(steady) + 1e-9);
  });

  test('evaluates held-out rows in the bubbles of a single adapter, with the weights of the iteration they are due in', () => {
    const alone = { stages: 2, adapters: 1, microbatches: 1, iterations: 3 };
    const evaluated = { ...alone, evaluation: () => heldoutEvery(1, 1) };
    expect(formatPlan(planWhole(problemOf(evaluated)))).toBe(
      [
        'gpu0: 0LOAD0 0F0 0B0 0STEP0.0 0F1 0F2 0B1 0STEP0.1 0F3 0F4 0B3 0STEP0.2 0SAVE0 0RELEASE0',
        'gpu1: 1LOAD0 1F0 1B0 1STEP0.0 1F1 1B1 1F2 1STEP0.1 1F3 1B3 1F4 1STEP0.2 1SAVE0 1RELEASE0',
      ].join('\n'),
    );
    expect(makespan(evaluated)).toBe(makespan(alone));
  });

  const pairsOf = (adapters: number): number[][] =>
    Array.from({ length: Math.ceil(adapters / 2) }, (_, pair) => [2 * pair, 2 * pair + 1].filter((adapter) => adapter < adapters));

  const settings = fc.record({
    stages: fc.integer({ min: 1, max: 5 }),
    adapters: fc.integer({ min: 1, max: 5 }),
    microbatches: fc.integer({ min: 1, max: 4 }),
    iterations: fc.integer({ min: 1, max: 4 }),
    lengths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
    order: fc.constantFrom('1f1b' as const, 'gpipe' as const),
    release: fc.constantFrom('staggered' as const, 'greedy' as const),
    extraInFlight: fc.constantFrom('auto' as const, 0, 1, 3),
    clipping: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    every: fc.constantFrom(0, 1, 2),
    heldout: fc.integer({ min: 1, max: 3 }),
    grouped: fc.boolean(),
  });

  const settingOf = ({ lengths, order, release, extraInFlight, clipping, every, heldout, grouped, ...sizes }: typeof settings extends fc.Arbitrary<infer T> ? T : never): Setting => ({
    ...sizes,
    part: (adapter, iteration, index) => {
      const tokens = lengths[(adapter * 7 + iteration * 3 + index) % lengths.length]!;
      return { rows: 1, tokens, squaredTokens: tokens * tokens };
    },
    clips: (adapter) => clipping[adapter]!,
    evaluation: (adapter) => (every === 0 || adapter === 1 ? undefined : heldoutEvery(every, heldout)),
    options: { order, release, extraInFlight, ...(grouped ? { groups: pairsOf(sizes.adapters) } : {}) },
  });

  test('every plan is valid, with transfers, for any sizes, lengths and options', () => {
    fc.assert(
      fc.property(settings, (drawn) => {
        const problem = problemOf(settingOf(drawn));
        const plan = lowerTransfers(planWhole(problem), problem.cost, () => 5);
        expect(validate(plan)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('a memory budget is never exceeded and every microbatch still runs', () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 9, max: 40 }), (drawn, budget) => {
        const problem = problemOf(settingOf({ ...drawn, order: '1f1b', grouped: false }));
        const capped = { ...problem, memoryBudgets: problem.memoryBudgets.map(() => budget) };
        const plan = planWhole(capped);
        const capacityBytes = plan.devices.map(() => budget);
        expect(validate(lowerTransfers(plan, problem.cost, () => 0), { cost: problem.cost, capacityBytes })).toEqual([]);
      }),
      {
        numRuns: 200,
        // Held-out rows let one adapter's step come due before another's that waits for its norm already.
        examples: [
          [
            {
              ...{ stages: 2, adapters: 3, microbatches: 2, iterations: 4, lengths: [1, 8], order: '1f1b', release: 'greedy' },
              ...{ extraInFlight: 'auto', clipping: [true, true, false, false, false], every: 2, heldout: 3, grouped: false },
            },
            16,
          ],
        ],
      },
    );
  });

  test('planning in pieces gives the plan made in one go', () => {
    fc.assert(
      fc.property(settings, fc.integer({ min: 60, max: 4000 }), (drawn, pieceNs) => {
        const problem = problemOf(settingOf(drawn));
        const writer = createPlanWriter(problem.workload, deviceNames(problem.deviceOfStage.length), oneLayerStages(problem.deviceOfStage.length));
        let state = startLorapp(problem);
        for (let horizonNs = pieceNs; !isComplete(state); horizonNs += pieceNs) {
          state = extendLorapp(problem, JSON.parse(JSON.stringify(state)) as typeof state, writer, horizonNs);
        }
        expect(formatPlan(writer.build('lorapp'))).toBe(formatPlan(planWhole(problem)));
      }),
      { numRuns: 100 },
    );
  });
});
