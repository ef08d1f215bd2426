import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { CLUSTER_PRESETS } from '../../core/cluster/presets.ts';
import { buildCluster } from '../../core/cluster/topology.ts';
import { planSchedule } from '../../core/planners/plan-schedule.ts';
import type { Adapter } from '../../core/job.ts';
import type { Cluster } from '../../core/cluster/cluster.ts';
import { makeSchedule } from '../../core/experiment/schedule-section.ts';
import { STREAM } from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { sizeOfRows } from '../../core/workload.ts';
import { analyticCost } from '../../sim/analytic-cost.ts';
import { calibrate } from '../../sim/calibrate.ts';
import { calibrateLinks } from '../../sim/calibrated-cluster.ts';
import type { DeviceProfile } from '../../sim/device-profile.ts';
import type { MeasuredRun } from '../../sim/measured-ops.ts';
import { WORK_FEATURES } from '../../sim/work-features.ts';
import { EVERY_MODULE, PAPER_ADAPTER, preset } from '../core/work/settings.ts';
import { KNOWN_PROFILE } from './known-profile.ts';
import { traceOf } from './small-plan.ts';

const rightOf = <T>(result: E.Either<unknown, T>): T => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

const CLUSTER = rightOf(buildCluster(CLUSTER_PRESETS.get('2xcpu')!));
const MODEL = preset('SmolLM2-135M');
const ADAPTERS: readonly Adapter[] = [{ ...EVERY_MODULE, rank: 8, dropout: 0.1 }, { ...PAPER_ADAPTER, rank: 32 }, EVERY_MODULE];
const STAGES = [
  { device: 0, firstLayer: 0, endLayer: 14 },
  { device: 1, firstLayer: 14, endLayer: 30 },
];
const SCHEDULE = makeSchedule({ type: 'lorapp', microbatches: 2, groups: 3, extraInFlight: 0 });

/** Rows of many lengths, so that tokens, squares, blocks and targets do not go together. */
const lengthsOf = (adapter: number, iteration: number, index: number): number[] =>
  Array.from({ length: 2 + adapter }, (_, row) => 9 + ((41 * adapter + 67 * iteration + 29 * index + 83 * row) % 190));

const setUp = (profile: DeviceProfile): { plan: Plan; cluster: Cluster; cost: ReturnType<typeof analyticCost> } => {
  const cluster = calibrateLinks(CLUSTER, profile);
  const cost = analyticCost({ model: MODEL, adapters: ADAPTERS, precision: 'fp32', stages: STAGES, cluster, profileOf: () => profile });
  const adapters = ADAPTERS.map((_, adapter) => ({
    name: `adapter${adapter}`,
    iterations: 6,
    microbatches: 2,
    arrivalNs: 0,
    priority: 0,
    part: (iteration: number, index: number) => {
      const size = sizeOfRows(lengthsOf(adapter, iteration, index));
      return { ...size, targets: Math.floor(size.tokens / (2 + ((iteration + index) % 5))) };
    },
  }));
  const plan = rightOf(planSchedule({ workload: { adapters }, schedule: SCHEDULE, cluster, stages: STAGES, cost }));
  return { plan, cluster, cost };
};

/** A run on a machine that behaves exactly as the profile says. */
const runOn = (profile: DeviceProfile): MeasuredRun => {
  const { plan, cluster, cost } = setUp(profile);
  return { trace: traceOf(plan, cost, cluster), model: MODEL, adapters: ADAPTERS, precision: 'fp32' };
};

describe('calibration', () => {
  it('finds the constants of the machine that a run was made on', () => {
    const { profile, medianError, totalError, constants } = calibrate([runOn(KNOWN_PROFILE)], 'found');
    for (const feature of WORK_FEATURES) {
      expect(profile.nsPer[feature].value / KNOWN_PROFILE.nsPer[feature].value).toBeCloseTo(1, 2);
    }
    expect(constants).toBe(WORK_FEATURES.length);
    expect(medianError).toBeLessThan(1e-4);
    expect(Math.abs(totalError)).toBeLessThan(1e-4);
  });

  it('finds latency and rate of the links from transfers that nothing disturbs', () => {
    const { link } = calibrate([runOn(KNOWN_PROFILE)], 'found').profile;
    expect(link!.latencyNs.value / KNOWN_PROFILE.link!.latencyNs.value).toBeCloseTo(1, 2);
    expect(link!.nsPerByte.value / KNOWN_PROFILE.link!.nsPerByte.value).toBeCloseTo(1, 2);
  });

  it('finds what the program needs between ops that do not wait', () => {
    const run = runOn(KNOWN_PROFILE);
    const { spans } = run.trace;
    const startNs = spans.startNs.map((start, row) => (spans.stream[row] === STREAM.compute ? start + 10_000 : start));
    const { profile } = calibrate([{ ...run, trace: { ...run.trace, spans: { ...spans, startNs } } }], 'found');
    expect(profile.perPassNs.value).toBe(10_000);
  });

  it('takes an op’s shortest time in all runs, and leaves out the first calls', () => {
    const run = runOn(KNOWN_PROFILE);
    const { spans } = run.trace;
    const disturbed = (isDisturbed: (row: number) => boolean): MeasuredRun => {
      const endNs = spans.endNs.map((end, row) => (isDisturbed(row) ? 2 * end - spans.startNs[row]! : end));
      return { ...run, trace: { ...run.trace, spans: { ...spans, endNs } } };
    };
    const isFirst = (row: number): boolean => row < 8;
    const runs = [0, 1].map((odd) => disturbed((row) => isFirst(row) || row % 2 === odd));
    const { profile, medianError } = calibrate(runs, 'found');
    expect(medianError).toBeLessThan(1e-4);
    expect(profile.nsPer.productFlop.value / KNOWN_PROFILE.nsPer.productFlop.value).toBeCloseTo(1, 2);
  });

  it('is not misled by a few ops that something else held up', () => {
    const run = runOn(KNOWN_PROFILE);
    const { spans } = run.trace;
    const endNs = spans.endNs.map((end, row) => (row % 20 === 0 ? end + 30 * (end - spans.startNs[row]!) : end));
    const { profile } = calibrate([{ ...run, trace: { ...run.trace, spans: { ...spans, endNs } } }], 'found');
    expect(profile.nsPer.productFlop.value / KNOWN_PROFILE.nsPer.productFlop.value).toBeCloseTo(1, 1);
  });

  it('refuses runs in which nothing was computed', () => {
    expect(() => calibrate([], 'nothing')).toThrow('no run has a compute op');
  });
});

describe('links of a calibrated cluster', () => {
  it('stay as they are without a profile, or with one that measured none', () => {
    expect(calibrateLinks(CLUSTER, null)).toBe(CLUSTER);
    expect(calibrateLinks(CLUSTER, { ...KNOWN_PROFILE, link: null })).toBe(CLUSTER);
  });

  it('of several machines stay as they are', () => {
    const cluster = rightOf(buildCluster(CLUSTER_PRESETS.get('8x1-3090-1gbit')!));
    expect(calibrateLinks(cluster, KNOWN_PROFILE)).toBe(cluster);
  });
});
