import { describe, expect, test } from 'vitest';
import { validate } from '../../../core/plan/validate.ts';
import { fastForward } from '../../../sim/cluster/fast-forward.ts';
import { runOpByOp } from '../../../sim/cluster/op-by-op.ts';
import { steadyRates } from '../../../sim/cluster/steady-rate.ts';
import { grouperOf, mixedArrivals, schedulerOf, smallModel } from './made-up.ts';

const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;

describe('fast-forwarding a cluster', () => {
  const model = smallModel();

  test('agrees with the op-by-op simulation of the same jobs', () => {
    const setting = { scheduler: schedulerOf(model), grouper: grouperOf(model), arrivals: mixedArrivals(model, 10, 20, 100) };
    const exact = runOpByOp({ model, ...setting });
    const fast = fastForward({ ...setting, kindOf: model.kindOf, rateOf: steadyRates(model) });
    expect(validate(exact.plan)).toEqual([]);
    const flow = (jobs: typeof fast.jobs): number[] => jobs.map(({ endNs, arrivalNs }) => endNs! - arrivalNs);
    expect(fast.jobs.map(({ preemptions }) => preemptions)).toEqual(exact.jobs.map(({ preemptions }) => preemptions));
    expect(Math.max(...fast.jobs.map(({ preemptions }) => preemptions))).toBeGreaterThan(0);
    expect(Math.abs(mean(flow(fast.jobs)) / mean(flow(exact.jobs)) - 1)).toBeLessThan(0.005);
  });

  test('the same jobs give the same result', () => {
    const run = () => fastForward({ scheduler: schedulerOf(model), grouper: grouperOf(model), arrivals: mixedArrivals(model, 10, 20, 100), kindOf: model.kindOf, rateOf: steadyRates(model) });
    expect(run()).toEqual(run());
  });
});
