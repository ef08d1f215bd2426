import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SchedulerEvent } from '../../../core/scheduler/events.ts';
import { makePolicy, POLICY_NAMES, type PolicyName } from '../../../core/scheduler/policy.ts';
import type { Scheduler } from '../../../core/scheduler/scheduler.ts';
import { drive, jobSpec, randomArrivals, type Arrival, type DriveOptions } from './drive.ts';

const QUANTUM_NS = 300;
const LEVEL_NS = 400;
const BUDGET = [100];

const policyOf = (name: PolicyName) => makePolicy(name, { quantumNs: QUANTUM_NS, levelNs: LEVEL_NS });
const setUp = (name: PolicyName, arrivals: readonly Arrival[], more: Partial<DriveOptions> = {}): DriveOptions => ({
  policy: policyOf(name),
  budgetBytes: [BUDGET, BUDGET],
  slots: 3,
  arrivals,
  ...more,
});
const anyPolicy = fc.constantFrom(...POLICY_NAMES);
const heldOn = (scheduler: Scheduler, pipeline: number): number =>
  scheduler.jobsOn(pipeline).reduce((sum, { reservedBytes }) => sum + reservedBytes[0]!, 0);

describe('under every policy', () => {
  test('every job finishes exactly once, with all its iterations', () => {
    fc.assert(
      fc.property(anyPolicy, randomArrivals(), (name, arrivals) => {
        const { decisions } = drive(setUp(name, arrivals));
        const ends = decisions.filter(({ kind }) => kind === 'finish');
        expect(ends.map((end) => 'job' in end && end.job).sort()).toEqual(arrivals.map(({ job }) => job.id).sort());
        for (const end of ends) expect(end).toMatchObject({ outcome: 'completed', iteration: arrivals.find(({ job }) => 'job' in end && job.id === end.job)!.job.iterations });
      }),
    );
  });

  test('jobs never hold more than a pipeline has, nor are there more than its slots', () => {
    fc.assert(
      fc.property(anyPolicy, randomArrivals(), (name, arrivals) => {
        const check = (scheduler: Scheduler): void => {
          for (const pipeline of [0, 1]) {
            expect(heldOn(scheduler, pipeline)).toBeLessThanOrEqual(BUDGET[0]!);
            expect(scheduler.jobsOn(pipeline).length).toBeLessThanOrEqual(3);
          }
        };
        drive(setUp(name, arrivals, { check }));
      }),
    );
  });

  test('a scheduler restored from its saved state decides as the one that was saved', () => {
    fc.assert(
      fc.property(anyPolicy, randomArrivals(), fc.integer({ min: 1, max: 5 }), (name, arrivals, restartEvery) => {
        expect(drive(setUp(name, arrivals, { restartEvery })).decisions).toEqual(drive(setUp(name, arrivals)).decisions);
      }),
    );
  });

  test('lost devices, cancellations and changed priorities lose and double nothing', () => {
    const events = fc.array(
      fc.record({ timeNs: fc.nat(2500), kind: fc.constantFrom('lost', 'cancelled', 'priority', 'failed'), job: fc.nat(13), pipeline: fc.nat(1), priority: fc.nat(5) }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(anyPolicy, randomArrivals(), events, (name, arrivals, happenings) => {
        const outside = happenings.flatMap(({ timeNs, kind, job: number, pipeline, priority }): SchedulerEvent[] => {
          const job = `job-${number}`;
          switch (kind) {
            case 'lost':
              return [{ kind: 'deviceLost', timeNs, pipeline }, { kind: 'pipelineReady', timeNs: timeNs + 50, pipeline, budgetBytes: BUDGET }];
            case 'cancelled':
            case 'failed':
              return [{ kind, timeNs, job }];
            default:
              return [{ kind: 'priorityChanged', timeNs, job, priority }];
          }
        });
        const check = (scheduler: Scheduler): void => [0, 1].forEach((pipeline) => expect(heldOn(scheduler, pipeline)).toBeLessThanOrEqual(BUDGET[0]!));
        const { decisions, scheduler } = drive(setUp(name, arrivals, { events: outside, check }));
        const ends = decisions.flatMap((each) => (each.kind === 'finish' ? [each.job] : []));
        expect([...ends].sort()).toEqual(arrivals.map(({ job }) => job.id).sort());
        expect(scheduler.state().jobs).toEqual([]);
      }),
    );
  });

  test('a job that no empty pipeline holds is refused with the bytes', () => {
    const { decisions } = drive(setUp('priority', [{ timeNs: 0, job: jobSpec('large', { ledgerBytes: [200] }) }]));
    expect(decisions).toEqual([{ kind: 'refuse', job: 'large', timeNs: 0, reason: { kind: 'neverFits', device: 0, requiredBytes: 215, availableBytes: 100 } }]);
  });

  test('a late or repeated report changes nothing', () => {
    const { scheduler } = drive(setUp('priority', [{ timeNs: 0, job: jobSpec('one', { iterations: 2 }) }]));
    const before = scheduler.state();
    for (const kind of ['iterationFinished', 'left', 'checkpointed'] as const) {
      expect(scheduler.handle({ kind, timeNs: 900, job: 'one', iteration: 2 })).toEqual([]);
    }
    expect(scheduler.state()).toEqual(before);
  });
});

/** A waiting job that could have a place if running jobs that it may displace gave theirs up, and nobody leaves. */
const findInversion = (scheduler: Scheduler, mayDisplace: (waiting: Job, running: Job) => boolean): string | null => {
  const { jobs } = scheduler.state();
  if (jobs.some(({ status }) => status === 'leaving')) return null;
  for (const waiting of jobs.filter(({ status }) => status === 'waiting')) {
    const need = Math.ceil(waiting.spec.ledgerBytes[0]! * 1.075);
    for (const pipeline of [0, 1]) {
      const here = jobs.filter((job) => job.pipeline === pipeline);
      const staying = here.filter((running) => !mayDisplace(waiting, running));
      const held = staying.reduce((sum, { reservedBytes }) => sum + reservedBytes[0]!, 0);
      if (staying.length < here.length && held + need <= BUDGET[0]! && staying.length < 3) return `${waiting.spec.id} waits for a place on ${pipeline}`;
    }
  }
  return null;
};
type Job = ReturnType<Scheduler['state']>['jobs'][number];

describe('priority', () => {
  test('no job waits for one of lower priority', () => {
    fc.assert(
      fc.property(randomArrivals(), (arrivals) => {
        drive(setUp('priority', arrivals, { check: (scheduler) => expect(findInversion(scheduler, (w, r) => w.priority > r.priority)).toBeNull() }));
      }),
    );
  });

  test('inside a class jobs of equal size start in order of submission', () => {
    fc.assert(
      fc.property(randomArrivals({ priority: 1, ledgerBytes: [30] }), (arrivals) => {
        const started = drive(setUp('priority', arrivals)).decisions.flatMap((each) => (each.kind === 'admit' ? [each.job] : []));
        const submitted = [...arrivals].sort((a, b) => a.timeNs - b.timeNs).map(({ job }) => job.id);
        expect(started).toEqual(submitted);
      }),
    );
  });

  test('a preempted job leaves at an iteration end and goes on where it was', () => {
    const arrivals = [
      { timeNs: 0, job: jobSpec('low', { iterations: 5, ledgerBytes: [80] }) },
      { timeNs: 150, job: jobSpec('high', { priority: 1, iterations: 2, ledgerBytes: [80] }) },
    ];
    const { decisions } = drive(setUp('priority', arrivals, { budgetBytes: [BUDGET] }));
    expect(decisions.map((each) => ('job' in each ? `${each.timeNs} ${each.kind} ${each.job}` : ''))).toEqual([
      '0 admit low',
      '150 preempt low',
      '200 admit high',
      '400 finish high',
      '400 resume low',
      '700 finish low',
    ]);
  });
});

describe('shortest remaining first', () => {
  test('no job waits for one with more work left', () => {
    const left = ({ spec, iteration }: Job): number => (spec.iterations - iteration) * spec.iterationNs;
    fc.assert(
      fc.property(randomArrivals(), (arrivals) => {
        drive(setUp('shortest', arrivals, { check: (scheduler) => expect(findInversion(scheduler, (w, r) => left(w) < left(r))).toBeNull() }));
      }),
    );
  });
});

describe('priority with ageing', () => {
  test('nobody starves: what comes too late for its priority to count never goes first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 100, max: 400 }), (priority, iterationNs) => {
        const stream = Array.from({ length: 60 }, (_, index) => ({ timeNs: index * iterationNs, job: jobSpec(`high-${index}`, { priority, iterations: 2, iterationNs, ledgerBytes: [80] }) }));
        const low = { timeNs: 1, job: jobSpec('low', { iterations: 1, iterationNs, ledgerBytes: [80] }) };
        const under = (name: PolicyName) => drive(setUp(name, [low, ...stream], { budgetBytes: [BUDGET], slots: 1 })).finishedNs;
        const aged = under('ageing');
        // Jobs ahead of it: those that came up to `priority` levels later, each of two iterations, and one under way.
        const ahead = Math.floor((priority * LEVEL_NS + 1) / iterationNs) + 2;
        expect(aged.get('low')).toBeLessThanOrEqual(2 * iterationNs * (ahead + 1) + iterationNs);
        expect(under('priority').get('low')).toBe(Math.max(...under('priority').values()));
      }),
    );
  });
});

describe('fair share', () => {
  test('users who always have work get equal service, within their places’ quanta', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(fc.integer({ min: 20, max: 150 }), { minLength: 2, maxLength: 2 }), (slots, [annNs, bobNs]) => {
        const many = (user: string, iterationNs: number): Arrival[] =>
          Array.from({ length: 30 }, (_, index) => ({ timeNs: 0, job: jobSpec(`${user}-${index}`, { user, iterationNs, iterations: 50, ledgerBytes: [10] }) }));
        const service = { ann: 0, bob: 0 };
        const check = (scheduler: Scheduler): void => {
          const { ann = 0, bob = 0 } = scheduler.state().serviceNs;
          Object.assign(service, { ann, bob });
          expect(Math.abs(ann - bob)).toBeLessThanOrEqual(QUANTUM_NS * (slots + 2) + 2 * Math.max(annNs!, bobNs!));
        };
        drive(setUp('fair', [...many('ann', annNs!), ...many('bob', bobNs!)], { budgetBytes: [BUDGET], slots, check, untilNs: 6000 }));
        expect(Math.min(service.ann, service.bob)).toBeGreaterThan(0);
      }),
      { numRuns: 10 },
    );
  });
});
