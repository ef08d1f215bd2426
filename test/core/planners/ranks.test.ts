import { describe, expect, it } from 'vitest';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import type { FsdpSchedule, Schedule } from '../../../core/experiment/schedule.ts';
import { KIND, type ComputeOpKind } from '../../../core/plan/op.ts';
import { opsOf, type Plan } from '../../../core/plan/plan.ts';
import { formatProgram } from '../../../core/plan/text.ts';
import { makespanNs, trainedTokens } from '../../../core/trace/metrics.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { traceOf } from '../../sim/small-plan.ts';
import { planned } from './schedules.ts';

const lines = (plan: Plan): string[] =>
  plan.programs.map((program) => formatProgram(program).replace(/ ?\b\d+(LOAD|SAVE|RELEASE)\d+/g, '').trim());

/** Two devices, three layers, one adapter, one iteration. */
const linesFor = (schedule: Schedule): string[] => lines(planned({ schedule, devices: 2, adapters: 1, iterations: 1 }));

describe('one device', () => {
  it('does everything alone, one adapter after another', () => {
    const plan = planned({ schedule: makeSchedule({ type: 'single', microbatches: 2 }), devices: 4, adapters: 2, iterations: 1 });
    expect(plan.devices).toHaveLength(1);
    expect(lines(plan)).toEqual(['0F0 0B0 0F1 0B1 0STEP0.0 0F2 0B2 0F3 0B3 0STEP1.0']);
  });

  it('takes the rows of a BatchLoRA group together', () => {
    const plan = planned({ schedule: makeSchedule({ type: 'single', microbatches: 1, groups: 1 }), devices: 1, adapters: 2, iterations: 1 });
    expect(lines(plan)).toEqual(['0F0 0B0 0STEP0.0 0STEP1.0']);
  });
});

describe('data parallelism', () => {
  it('sums gradients behind the last microbatch of every rank', () => {
    expect(linesFor(makeSchedule({ type: 'data-parallel', microbatches: 2 }))).toEqual([
      '0F0 0B0 0F1 0B1 0REDUCE0.0 0STEP0.0',
      '1F2 1B2 1F3 1B3 1REDUCE0.0 1STEP0.0',
    ]);
  });
});

describe('sharded weights', () => {
  it('are gathered one unit ahead, given back, gathered again for backward, and gradients scattered', () => {
    const [first, second] = linesFor(makeSchedule({ type: 'fsdp', microbatches: 1 }));
    expect(first).toBe(
      '0GATHER_F0 1GATHER_F0 0F0 2GATHER_F0 1F0 2F0 ' +
        '2GATHER_B0 1GATHER_B0 2B0 2SCATTER0.0 0GATHER_B0 1B0 1SCATTER0.0 0B0 0SCATTER0.0 0STEP0.0 1STEP0.0 2STEP0.0',
    );
    expect(second).toMatch(/^3GATHER_F1 4GATHER_F1 3F1 /);
  });

  it('are gathered when they are needed where nothing is prefetched, and once where they are kept', () => {
    expect(linesFor(makeSchedule({ type: 'fsdp', microbatches: 1, prefetch: 'none', reshard: false }))[0]).toBe(
      '0GATHER_F0 0F0 1GATHER_F0 1F0 2GATHER_F0 2F0 2B0 2SCATTER0.0 1B0 1SCATTER0.0 0B0 0SCATTER0.0 0STEP0.0 1STEP0.0 2STEP0.0',
    );
  });

  it('are gathered ahead in forward and when they are needed in backward, as released', () => {
    expect(linesFor(makeSchedule({ type: 'fsdp', microbatches: 1, setting: 'released', batch: 'global' }))[0]).toBe(
      '0GATHER_F0 1GATHER_F0 0F0 2GATHER_F0 1F0 2F0 ' +
        '2GATHER_B0 2B0 2SCATTER0.0 1GATHER_B0 1B0 1SCATTER0.0 0GATHER_B0 0B0 0SCATTER0.0 0STEP0.0 1STEP0.0 2STEP0.0',
    );
  });

  it('hide their gathers behind compute with prefetch only', () => {
    const cost = constantCost({ forwardNs: 100, backwardNs: 100, collectiveBytes: 120 });
    const makespan = (prefetch: FsdpSchedule['prefetch']): number =>
      makespanNs(traceOf(planned({ schedule: makeSchedule({ type: 'fsdp', microbatches: 1, prefetch }), devices: 2, adapters: 1, iterations: 1, cost }), cost, constantCluster(2)));
    // Six gathers of 60 in front of six passes of 100, and the last scatter. With prefetch the first gather of each
    // direction is exposed, and of the middle unit's in backward, which queues behind a scatter, 20.
    expect(makespan('none')).toBe(6 * 160 + 60 + 2 * 60);
    expect(makespan('both')).toBeLessThan(makespan('none') - 3 * 60);
  });
});

describe('tensor parallelism', () => {
  it('sums behind every pass, on ranks that all have the same rows', () => {
    const plan = planned({ schedule: makeSchedule({ type: 'tensor-parallel', microbatches: 1 }), devices: 2, adapters: 1, iterations: 1 });
    expect(lines(plan)[0]).toBe('0F0 0REDUCE_F0 1F0 1REDUCE_F0 2F0 2REDUCE_F0 2B0 2REDUCE_B0 1B0 1REDUCE_B0 0B0 0REDUCE_B0 0STEP0.0 1STEP0.0 2STEP0.0');
    expect(plan.stages.map(({ shard }) => shard)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(trainedTokens(traceOf(plan, constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(2)))).toBe(1);
  });
});

describe('instances', () => {
  const run = (devicesEach: number, count: 'auto' | number, adapters = 3): Plan =>
    planned({ schedule: makeSchedule({ type: 'instances', microbatches: 2, count, devices: devicesEach }), devices: 2, adapters, iterations: 1 });

  it('share devices, each with stages of its own, and adapters are shared out among them', () => {
    const plan = run(2, 3);
    expect(plan.stages.map(({ device, pipeline }) => [device, pipeline])).toEqual([[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]]);
    expect(new Set(plan.microbatches.pipeline)).toEqual(new Set([0, 1, 2]));
  });

  it('of one device stand beside each other', () => {
    expect(run(1, 1, 2).stages.map(({ device, pipeline }) => [device, pipeline])).toEqual([[0, 0], [1, 1]]);
    expect(run(1, 1, 2).programs.flatMap((program) => [...program.kind]).includes(KIND.sendForward)).toBe(false);
  });

  it('fill the bubbles of each other', () => {
    const cost = constantCost({ forwardNs: 100, backwardNs: 100 });
    const makespan = (plan: Plan): number => makespanNs(traceOf(plan, cost, constantCluster(2)));
    expect(makespan(run(2, 3))).toBeLessThan(makespan(run(2, 1)));
  });
});

describe('the loss at the head', () => {
  it('is a stage of its own on the first device, which takes passes as their data comes', () => {
    const plan = planned({ schedule: makeSchedule({ type: '1f1b', microbatches: 2, loss: 'head' }), devices: 2, adapters: 1, iterations: 1 });
    expect(plan.stages.map(({ device }) => device)).toEqual([0, 1, 0]);
    const passes = (device: number, kinds: readonly ComputeOpKind[]): string =>
      [...opsOf(plan.programs[device]!)].flatMap((op) => (kinds.some((kind) => kind === op.kind) && 'microbatch' in op ? [`${op.stage}${op.kind === 'forward' ? 'F' : 'B'}${op.microbatch}`] : [])).join(' ');
    expect(passes(0, ['forward', 'backward'])).toBe('0F0 0F1 2F0 2B0 2F1 0B0 2B1 0B1');
    expect(passes(1, ['forward', 'backward'])).toBe('1F0 1F1 1B0 1B1');
  });
});
