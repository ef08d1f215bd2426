import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { resolveExperiment } from '../../core/experiment/read.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Recompute } from '../../core/experiment/schedule.ts';
import { memoryNeed } from '../../core/plan/memory-need.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { peakMemory } from '../../core/trace/peak-memory.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';

const unasked = (): never => {
  throw new Error('no job has files');
};

/** 7B in fp32 on two cards under 1F1B: the first stage keeps two microbatches. */
const experimentWith = (recompute: Recompute, changes: object = {}): Experiment => {
  const file = {
    name: 'recompute',
    model: 'Llama-2-7B',
    cluster: { machines: [{ gpu: 'RTX A6000', count: 2, interconnect: { type: 'pcie', bandwidth: '12 GB/s', latency: 0 } }] },
    schedule: { type: '1f1b', microbatches: 4, recompute },
    defaults: { adapter: { rank: 16 }, batchSize: 36, iterations: 2, data: { lengths: { type: 'fixed', length: 512 } } },
    jobs: [{ name: 'a' }],
    ...changes,
  };
  const read = resolveExperiment(file, { readModelConfig: unasked });
  if (E.isLeft(read)) throw new Error(JSON.stringify(read.left));
  return read.right;
};

const planned = (experiment: Experiment) => planExperiment(experiment, { files: { rowCount: unasked, part: unasked, heldout: unasked } });

const recomputing = (recompute: Recompute, changes: object = {}): boolean[] | string => {
  const result = planned(experimentWith(recompute, changes));
  return E.isRight(result) ? result.right.plan.stages.map((stage) => stage.recompute === true) : `lacks ${result.left.device}`;
};

describe('recomputation', () => {
  it('happens on no stage or on every stage where the experiment says so', () => {
    expect(recomputing('none')).toBe('lacks device0');
    expect(recomputing('full')).toEqual([true, true]);
  });

  it('set to auto happens on just those stages that would not fit otherwise', () => {
    expect(recomputing('auto')).toEqual([true, false]);
    expect(recomputing('auto', { precision: 'bf16' })).toEqual([false, false]);
  });

  it('does not help where weights alone do not fit, which stays the answer', () => {
    expect(recomputing('auto', { model: 'Llama-2-70B' })).toBe('lacks device0');
  });

  it('takes longer and holds less, as simulated', () => {
    const [none, full] = (['none', 'full'] as const).map((recompute) => {
      const experiment = experimentWith(recompute, { precision: 'bf16' });
      const result = planned(experiment);
      if (E.isLeft(result)) throw new Error(result.left.device);
      const { plan, cost } = result.right;
      const trace = simulate(plan, cost, experiment.cluster);
      if (E.isLeft(trace)) throw new Error('deadlock');
      const peaks = peakMemory(trace.right).map(({ bytes }) => bytes);
      const needs = plan.devices.map((_, device) => memoryNeed(plan, cost, device).totalBytes);
      // The planner's need leaves out transfers in flight.
      peaks.forEach((peak, device) => expect(peak).toBeGreaterThanOrEqual(needs[device]! - 1));
      return { makespan: makespanNs(trace.right), peaks };
    });
    expect(full!.makespan).toBeGreaterThan(1.2 * none!.makespan);
    full!.peaks.forEach((peak, device) => expect(peak).toBeLessThan(none!.peaks[device]!));
  });
});
