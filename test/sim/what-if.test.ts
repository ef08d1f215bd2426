import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IdleCause } from '../../core/explain/cause.ts';
import { splitIdle } from '../../core/explain/idle.ts';
import { planSchedule } from '../../core/planners/plan-schedule.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { repeatTrace } from '../../sim/repeat-trace.ts';
import { whatIf, whatIfTrace, type WhatIf } from '../../sim/what-if.ts';
import { requestOf, runSetting, type Setting } from '../core/explain/planned-run.ts';
import { devicesOf, planOfSeed, planSeeds } from './random-plan.ts';
import { smallPlan, traceOf } from './small-plan.ts';

const whatIfOf = (setting: Setting): readonly WhatIf[] => {
  const request = requestOf(setting);
  const plan = planSchedule(request);
  if (E.isLeft(plan)) throw new Error(JSON.stringify(plan.left));
  return whatIf({ plan: plan.right, cost: request.cost, cluster: request.cluster, request });
};

const without = (setting: Setting, cause: IdleCause): number | null => whatIfOf(setting).find(({ causes }) => causes.includes(cause))!.makespanNs;

const LORAPP = { devices: 4, microbatches: 4, adapters: 4, iterations: 20, type: 'lorapp' } as const;

describe('what if', () => {
  const ideal = makespanNs(runSetting(LORAPP));

  it('transfers were free', () => {
    expect(without({ ...LORAPP, costs: { transferNs: 400 } }, 'communication')).toBe(ideal);
  });

  it('memory had no end', () => {
    const capped = { ...LORAPP, costs: { activationBytes: 10 }, memoryBytes: 20 };
    expect(without(capped, 'memoryCap')).toBe(ideal);
    expect(makespanNs(runSetting(capped))).toBeGreaterThan(1.5 * ideal);
  });

  it('stages were equal: the slow stage’s work is shared by all', () => {
    expect(without({ ...LORAPP, slowness: [1, 2, 1, 2] }, 'unequalStages')).toBe(1.5 * ideal);
  });

  it('microbatches were equal', () => {
    const tokens = (adapter: number, iteration: number, index: number): number => 1 + ((adapter + iteration + index) % 3);
    const setting = { ...LORAPP, iterations: 18, tokens };
    expect(without(setting, 'unequalLengths')).toBeCloseTo(2 * makespanNs(runSetting({ ...LORAPP, iterations: 18 })), -2);
  });

  it('no iteration waited for a step: 1F1B fills and drains once', () => {
    const setting: Setting = { devices: 4, microbatches: 4, iterations: 10 };
    expect(without(setting, 'ownStep')).toBe((10 * 4 + 3) * 300);
  });

  it('the run had no ends: what is left is its steady part', () => {
    expect(without(LORAPP, 'fillDrain')).toBe(4 * 4 * 20 * 300);
  });

  it('every job were there from the start', () => {
    const setting: Setting = { devices: 2, microbatches: 1, adapters: 2, arrivalsNs: [0, 5000] };
    expect(without(setting, 'noWork')).toBe(makespanNs(runSetting({ ...setting, arrivalsNs: [] })));
  });

  it('the host needed no time', () => {
    expect(without({ ...LORAPP, costs: { launchNs: 500, firstLaunchNs: 20 } }, 'launches')).toBe(ideal);
  });

  it('agrees with the split where one cause stands out', () => {
    const settings: (readonly [IdleCause, Setting])[] = [
      ['unequalStages', { ...LORAPP, slowness: [1, 3, 1, 1] }],
      ['communication', { ...LORAPP, costs: { transferNs: 400 } }],
      ['memoryCap', { ...LORAPP, costs: { activationBytes: 10 }, memoryBytes: 30 }],
    ];
    for (const [cause, setting] of settings) {
      const trace = runSetting(setting);
      const wholeNs = 4 * makespanNs(trace);
      const gain = (4 * (makespanNs(trace) - without(setting, cause)!)) / wholeNs;
      expect(Math.abs(splitIdle(trace).total.byCause[cause] / wholeNs - gain)).toBeLessThan(0.01);
    }
  });

  it('says nothing about plans for a plan whose workload is not known', () => {
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, transferNs: 5 });
    const plan = smallPlan(['0F0 0SEND_F0 0RECV_B0 0B0', '1RECV_F0 1F0 1B0 1SEND_B0'], { microbatches: 1 });
    const changes = whatIf({ plan, cost, cluster: constantCluster(2), request: null });
    expect(changes.map(({ causes, makespanNs: ns }) => [...causes, ns])).toEqual([
      ['communication', 60],
      ['unequalLengths', 70],
      ['unequalStages', 70],
      ['launches', 70],
    ]);
  });
});

describe('a run repeated from its trace', () => {
  it('takes as long as it took', () => {
    fc.assert(
      fc.property(planSeeds, fc.nat({ max: 9 }), fc.constantFrom(0, 30), (seed, forwardNs, transferNs) => {
        const cost = constantCost({ forwardNs, backwardNs: 9, stepNs: 2, transferNs });
        const trace = traceOf(planOfSeed({ ...seed, arrivalNs: 0 }), cost, constantCluster(devicesOf(seed)));
        const { plan, cost: own, cluster } = repeatTrace(trace).asItRan;
        expect(makespanNs(traceOf(plan, own, cluster))).toBe(makespanNs(trace));
      }),
      { numRuns: 100 },
    );
  });

  it('takes as long with collectives', () => {
    const rank = (stage: number, m: number): string => `${stage}GATHER_F${m} ${stage}F${m} ${stage}B${m} ${stage}SCATTER0.0 ${stage}STEP0.0`;
    const plan = smallPlan([rank(0, 0), rank(1, 1)], { stagePipelines: [0, 1], stageLayers: [0, 0], microbatchPipelines: [0, 1], microbatches: 2 });
    const trace = traceOf(plan, constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8 }), constantCluster(2));
    const { asItRan } = repeatTrace(trace);
    expect(makespanNs(traceOf(asItRan.plan, asItRan.cost, asItRan.cluster))).toBe(makespanNs(trace));
    expect(whatIfTrace(trace).changes.find(({ causes }) => causes.includes('communication'))!.makespanNs).toBe(30);
  });

  it('is shorter without the gaps between its ops', () => {
    const trace = runSetting({ devices: 1, microbatches: 4, costs: { launchNs: 50, firstLaunchNs: 5 } });
    const { makespanNs: asItRan, changes } = whatIfTrace({ ...trace, source: 'measured' });
    expect(asItRan).toBeGreaterThan(1200);
    expect(changes.at(-1)!.makespanNs).toBe(1200);
  });
});
