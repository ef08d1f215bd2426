import fc from 'fast-check';
import type { Decision, SchedulerEvent } from '../../../core/scheduler/events.ts';
import type { JobSpec } from '../../../core/scheduler/job.ts';
import { createScheduler, type Scheduler, type SchedulerOptions } from '../../../core/scheduler/scheduler.ts';

/** A driver for tests: every running job finishes an iteration each `iterationNs`, whoever runs beside it. */

export interface Arrival {
  readonly timeNs: number;
  readonly job: JobSpec;
}

export interface Driven {
  readonly decisions: readonly (Decision & { readonly timeNs: number })[];
  /** Times at which jobs finished. */
  readonly finishedNs: ReadonlyMap<string, number>;
  readonly scheduler: Scheduler;
}

export interface DriveOptions extends SchedulerOptions {
  readonly arrivals: readonly Arrival[];
  /** Further events, in order of time. */
  readonly events?: readonly SchedulerEvent[];
  readonly heldoutLoss?: (job: string, iteration: number) => number;
  readonly untilNs?: number;
  /** Called after every event. */
  readonly check?: (scheduler: Scheduler, timeNs: number) => void;
  /** Events after which the scheduler is replaced by one restored from its state. */
  readonly restartEvery?: number;
}

interface Running {
  iteration: number;
  nextNs: number;
  leaves: boolean;
}

export const drive = (options: DriveOptions): Driven => {
  const { arrivals, events = [], heldoutLoss, untilNs = Infinity, check = () => undefined, restartEvery = Infinity } = options;
  let scheduler = createScheduler(options);
  const specs = new Map(arrivals.map(({ job }) => [job.id, job]));
  const running = new Map<string, Running>();
  const decisions: (Decision & { timeNs: number })[] = [];
  const finishedNs = new Map<string, number>();
  const outside: SchedulerEvent[] = [...arrivals.map((each): SchedulerEvent => ({ kind: 'submitted', ...each })), ...events].sort((a, b) => a.timeNs - b.timeNs);
  let handled = 0;

  const obey = (decision: Decision, timeNs: number): void => {
    decisions.push({ ...decision, timeNs });
    switch (decision.kind) {
      case 'admit':
      case 'resume':
        running.set(decision.job, { iteration: decision.kind === 'resume' ? decision.iteration : 0, nextNs: timeNs + specs.get(decision.job)!.iterationNs, leaves: false });
        break;
      case 'preempt':
      case 'stop':
        running.get(decision.job)!.leaves = true;
        break;
      case 'finish':
        running.delete(decision.job);
        finishedNs.set(decision.job, timeNs);
        break;
      case 'group':
      case 'refuse':
        break;
    }
  };
  const handle = (event: SchedulerEvent): void => {
    if (event.kind === 'deviceLost') for (const { spec } of scheduler.jobsOn(event.pipeline)) running.delete(spec.id);
    for (const decision of scheduler.handle(event)) obey(decision, event.timeNs);
    handled += 1;
    if (handled % restartEvery === 0) scheduler = createScheduler(options, JSON.parse(JSON.stringify(scheduler.state())) as never);
    check(scheduler, event.timeNs);
  };
  const endIteration = (job: string, state: Running): void => {
    const timeNs = state.nextNs;
    state.iteration += 1;
    state.nextNs += specs.get(job)!.iterationNs;
    const { iteration } = state;
    handle({ kind: 'iterationFinished', timeNs, job, iteration });
    if (!running.has(job)) return;
    if (heldoutLoss !== undefined) handle({ kind: 'evaluated', timeNs, job, iteration, loss: heldoutLoss(job, iteration) });
    if (running.get(job)?.leaves !== true) return;
    running.delete(job);
    handle({ kind: 'left', timeNs, job, iteration });
  };
  for (;;) {
    const next = [...running].reduce<[string, Running] | null>((best, each) => (best === null || each[1].nextNs < best[1].nextNs ? each : best), null);
    const event = outside[0];
    const timeNs = Math.min(next?.[1].nextNs ?? Infinity, event?.timeNs ?? Infinity);
    if (timeNs === Infinity || timeNs > untilNs) return { decisions, finishedNs, scheduler };
    if (event !== undefined && event.timeNs <= timeNs) handle(outside.shift()!);
    else endIteration(...next!);
  }
};

export const jobSpec = (id: string, changes: Partial<JobSpec> = {}): JobSpec => ({
  id,
  user: 'somebody',
  priority: 0,
  iterations: 4,
  iterationNs: 100,
  memoryKind: 'any',
  size: { rows: 1, length: 1 },
  ledgerBytes: [10],
  ...changes,
});

/** Arrivals of random jobs on pipelines of one device. */
export const randomArrivals = (changes: Partial<JobSpec> = {}): fc.Arbitrary<Arrival[]> =>
  fc
    .array(
      fc.record({
        timeNs: fc.nat(2000),
        priority: fc.nat(3),
        user: fc.constantFrom('ann', 'bob', 'cleo'),
        iterations: fc.integer({ min: 1, max: 8 }),
        iterationNs: fc.integer({ min: 20, max: 200 }),
        bytes: fc.integer({ min: 5, max: 80 }),
      }),
      { minLength: 1, maxLength: 14 },
    )
    .map((jobs) => jobs.map(({ timeNs, bytes, ...job }, index) => ({ timeNs, job: jobSpec(`job-${index}`, { ...job, ledgerBytes: [bytes], ...changes }) })));
