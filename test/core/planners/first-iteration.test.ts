import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import type { Schedule } from '../../../core/experiment/schedule.ts';
import { opsOf, type Plan } from '../../../core/plan/plan.ts';
import { validate } from '../../../core/plan/validate.ts';
import { planSchedule } from '../../../core/planners/plan-schedule.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { heldoutEvery, oneLayerStages, workload } from './workloads.ts';

const SCHEDULES = [
  makeSchedule({ type: 'gpipe', microbatches: 2 }),
  makeSchedule({ type: '1f1b', microbatches: 2 }),
  makeSchedule({ type: 'lorapp', microbatches: 2, groups: 2 }),
  makeSchedule({ type: 'lorapp', microbatches: 2, groups: 2, release: 'greedy' }),
];

const planFrom = (firstIterations: readonly number[], iterations: number, schedule: Schedule): Plan => {
  const { adapters } = workload({ adapters: firstIterations.length, microbatches: 2, iterations, clips: (adapter) => adapter % 2 === 1, evaluation: (adapter) => (adapter > 1 ? undefined : heldoutEvery(2, 3)) });
  const plan = planSchedule({
    workload: { adapters: adapters.map((adapter, i) => ({ ...adapter, firstIteration: firstIterations[i]! })) },
    schedule,
    cluster: constantCluster(3),
    stages: oneLayerStages(3),
    cost: constantCost({ forwardNs: 1000, backwardNs: 2000 }),
  });
  if (E.isLeft(plan)) throw new Error('memory is no limit here');
  return plan.right;
};

/** Iterations that each adapter steps through on the first stage, in order. */
const stepsOf = (plan: Plan, adapter: number): number[] =>
  [...opsOf(plan.programs[0]!)].flatMap((op) => (op.kind === 'step' && op.adapter === adapter ? [op.iteration] : []));

describe('a plan of jobs that go on from where they were', () => {
  it('is valid and makes exactly the iterations that are left, under every schedule', () => {
    const iterations = 4;
    fc.assert(
      fc.property(
        fc.array(fc.nat(iterations), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...SCHEDULES),
        (firstIterations, schedule) => {
          const plan = planFrom(firstIterations, iterations, schedule);
          expect(validate(plan)).toEqual([]);
          for (const [adapter, first] of firstIterations.entries()) {
            expect(stepsOf(plan, adapter)).toEqual(Array.from({ length: iterations - first }, (_, i) => first + i));
          }
        },
      ),
    );
  });
});
