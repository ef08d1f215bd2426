import { describe, expect, it } from 'vitest';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import { SCHEDULE_NAMES, type Schedule } from '../../../core/experiment/schedule.ts';
import { formatViolations } from '../../../core/plan/grid.ts';
import { KIND, STREAM } from '../../../core/plan/op.ts';
import { opsOf, type Plan } from '../../../core/plan/plan.ts';
import { formatPlan, formatProgram } from '../../../core/plan/text.ts';
import { validate } from '../../../core/plan/validate.ts';
import { bubbleRatio, makespanNs } from '../../../core/trace/metrics.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { traceOf } from '../../sim/small-plan.ts';
import { planned, type ScheduledRun } from './schedules.ts';

/** Every type in its defaults, and the settings that change the order of ops. */
const schedulesOf = (microbatches: number): readonly Schedule[] => [
  ...SCHEDULE_NAMES.map((type) => makeSchedule({ type, microbatches })),
  makeSchedule({ type: '1f1b', microbatches, setting: 'released' }),
  makeSchedule({ type: 'gpipe', microbatches, loss: 'head' }),
  makeSchedule({ type: 'lorapp', microbatches, setting: 'released' }),
  makeSchedule({ type: 'lorapp', microbatches, loss: 'head' }),
  makeSchedule({ type: 'interleaved', microbatches, chunks: 3 }),
  makeSchedule({ type: 'fsdp', microbatches, prefetch: 'none', reshard: false }),
  makeSchedule({ type: 'fsdp', microbatches, reshard: false, groups: 1 }),
];

const nameOf = ({ microbatches: _, ...schedule }: Schedule): string => JSON.stringify(schedule);

const run = (plan: Plan, cost = constantCost({ forwardNs: 100, backwardNs: 130, transferNs: 7, collectiveBytes: 5 })): Trace =>
  traceOf(plan, cost, constantCluster(plan.devices.length, { latencyNs: 2 }));

describe('every schedule', () => {
  it.each(schedulesOf(1).map((schedule, index) => [nameOf(schedule), index] as const))('%s makes valid plans that run to their end', (_name, index) => {
    for (const devices of [1, 2, 3, 5]) {
      for (const microbatches of [1, 2, 3, 4, 7, 11]) {
        const plan = planned({ schedule: schedulesOf(microbatches)[index]!, devices, adapters: 3, iterations: 2, cost: constantCost({ forwardNs: 10, backwardNs: 13, stepNs: 1, transferNs: 3 }) });
        const violations = validate(plan);
        if (violations.length > 0) throw new Error(`D = ${devices}, N = ${microbatches}\n${formatViolations(plan, violations)}`);
        run(plan);
      }
    }
  });

  it('evaluates held-out rows with the weights they are for, and may clip', () => {
    for (const schedule of schedulesOf(2)) {
      const plan = planned({
        schedule,
        devices: 2,
        adapters: 2,
        iterations: 3,
        clips: () => true,
        evaluation: () => ({ every: 2, parts: [{ rows: 1, tokens: 1, squaredTokens: 1 }] }),
      });
      expect([nameOf(schedule), ...validate(plan).slice(0, 2)]).toEqual([nameOf(schedule)]);
      expect([...plan.microbatches.forwardOnly]).toContain(1);
      run(plan);
    }
  });

  it('makes the same plan twice', () => {
    for (const schedule of schedulesOf(3)) {
      const make = () => formatPlan(planned({ schedule, devices: 3, adapters: 2, iterations: 2 }));
      expect(make()).toBe(make());
    }
  });
});

/** What more iterations add to the makespan, against the work they add: fill and drain of the whole run cancel out. */
const steadyBubble = (setting: Omit<ScheduledRun, 'iterations'>, workNs: number): number => {
  const makespan = (iterations: number): number => {
    const plan = planned({ ...setting, iterations });
    return makespanNs(traceOf(plan, setting.cost!, constantCluster(plan.devices.length)));
  };
  return 1 - (4 * workNs) / (makespan(8) - makespan(4));
};

const EQUAL = { forwardNs: 100, backwardNs: 200, backwardInputNs: 100, backwardWeightNs: 100 };

describe('interleaved 1F1B', () => {
  it.each([1, 1.15, 2])('idles (D − 1)/(v·N + D − 1) of its time where D divides N and a backward takes %s forwards', (ratio) => {
    for (const devices of [1, 2, 3, 4, 6]) {
      for (const chunks of [2, 3, 4]) {
        for (const rounds of [1, 2, 3]) {
          const microbatches = rounds * devices;
          const plan = planned({ schedule: makeSchedule({ type: 'interleaved', microbatches, chunks }), devices, adapters: 1, iterations: 1 });
          const trace = traceOf(plan, constantCost({ forwardNs: 1000, backwardNs: 1000 * ratio }), constantCluster(devices));
          expect(bubbleRatio(trace)).toBeCloseTo((devices - 1) / (chunks * microbatches + devices - 1), 12);
        }
      }
    }
  });

  it('takes any number of microbatches, and idles no more than 1F1B does', () => {
    for (const devices of [2, 3, 4]) {
      for (let microbatches = devices; microbatches <= 3 * devices; microbatches++) {
        const cost = constantCost({ forwardNs: 100, backwardNs: 150 });
        const bubbleOf = (schedule: Schedule): number =>
          bubbleRatio(traceOf(planned({ schedule, devices, adapters: 1, iterations: 1, cost }), cost, constantCluster(devices)));
        const interleaved = bubbleOf(makeSchedule({ type: 'interleaved', microbatches }));
        expect(interleaved).toBeLessThanOrEqual(bubbleOf(makeSchedule({ type: '1f1b', microbatches })) + 1e-12);
      }
    }
  });

  it('runs rounds of microbatches through one chunk after another', () => {
    const plan = planned({ schedule: makeSchedule({ type: 'interleaved', microbatches: 4 }), devices: 2, adapters: 1, iterations: 1 });
    const passes = formatProgram(plan.programs[0]!).split(' ').filter((token) => /^\d+[FB]\d+$/.test(token));
    expect(passes.join(' ')).toBe('0F0 0F1 2F0 2F1 0F2 2B0 0F3 2B1 2F2 0B0 2F3 0B1 2B2 2B3 0B2 0B3');
  });
});

describe('zero-bubble schedules', () => {
  it('ZB-H1 idles (D − 1)·(T_F + T_I − T_W) a mini-batch with equal times (Qi et al. 2024, section 2.3)', () => {
    for (const devices of [1, 2, 3, 4, 6, 8]) {
      for (const microbatches of [devices, 2 * devices, 2 * devices + 3]) {
        const schedule = makeSchedule({ type: 'zb-h1', microbatches });
        const workNs = microbatches * 300;
        const idleNs = (devices - 1) * 100;
        const bubble = steadyBubble({ schedule, devices, adapters: 1, cost: constantCost(EQUAL) }, workNs);
        expect(bubble).toBeCloseTo(idleNs / (workNs + idleNs), 12);
      }
    }
  });

  it('ZB-V idles nothing between its first and last op with equal times and 2D − 1 or more microbatches', () => {
    for (const devices of [1, 2, 3, 4, 6, 8]) {
      for (const microbatches of [2 * devices - 1, 2 * devices, 3 * devices + 1]) {
        const schedule = makeSchedule({ type: 'zb-v', microbatches });
        const cost = constantCost(EQUAL);
        const { spans } = traceOf(planned({ schedule, devices, adapters: 1, iterations: 3, cost }), cost, constantCluster(devices));
        for (let device = 0; device < devices; device++) {
          const own = [...spans.startNs.keys()].filter((row) => spans.device[row] === device && spans.stream[row] === STREAM.compute && spans.kind[row] !== KIND.load);
          const busyNs = own.reduce((sum, row) => sum + spans.endNs[row]! - spans.startNs[row]!, 0);
          expect(Math.max(...own.map((row) => spans.endNs[row]!)) - Math.min(...own.map((row) => spans.startNs[row]!))).toBe(busyNs);
        }
      }
    }
  });

  it('keep no more microbatches than 1F1B does on its first stage (in halves of a stage for ZB-V)', () => {
    const most = (schedule: Schedule, devices: number): number => {
      const plan = planned({ schedule, devices, adapters: 1, iterations: 1, cost: constantCost(EQUAL) });
      return Math.max(
        ...plan.programs.map((program) => {
          let held = 0;
          let peak = 0;
          for (const { kind } of opsOf(program)) {
            if (kind === 'forward') peak = Math.max(peak, ++held);
            if (kind === 'backwardWeight' || kind === 'backward') held--;
          }
          return peak;
        }),
      );
    };
    for (const devices of [2, 4, 7]) {
      expect(most(makeSchedule({ type: '1f1b', microbatches: 20 }), devices)).toBe(devices);
      expect(most(makeSchedule({ type: 'zb-h1', microbatches: 20 }), devices)).toBe(devices);
      expect(most(makeSchedule({ type: 'zb-v', microbatches: 20 }), devices)).toBe(2 * devices);
    }
  });
});
