/**
 * A cluster over months: between two changes of a pipeline's jobs every job makes an iteration per period, so nothing
 * happens that has to be simulated. Only arrivals, ends, departures and evaluations are events; the scheduler that decides
 * is the one that runs for real.
 */
import FlatQueue from 'flatqueue';
import type { Decision, Grouping, SchedulerEvent } from '../../core/scheduler/events.ts';
import type { Grouper } from '../../core/scheduler/grouping.ts';
import type { JobSpec } from '../../core/scheduler/job.ts';
import { createScheduler, type SchedulerOptions } from '../../core/scheduler/scheduler.ts';
import type { RateOf } from './steady-rate.ts';
import { openRecords, type ArrivingJob, type ClusterResult } from './cluster-run.ts';

export interface FastForwardOptions {
  readonly scheduler: SchedulerOptions;
  readonly grouper: Grouper;
  readonly kindOf: (job: JobSpec) => number;
  readonly rateOf: RateOf;
  readonly arrivals: readonly ArrivingJob[];
  /** Held-out losses, every so many iterations of a job; absent: nothing is evaluated. */
  readonly evaluation?: { readonly every: number; readonly lossOf: (job: JobSpec, iteration: number) => number };
  /** How often progress is reported to policies that follow it. */
  readonly tickNs?: number;
}

interface Running {
  readonly spec: JobSpec;
  /** Iterations made, with the part of the present one. */
  progress: number;
  leaves: boolean;
  /** Progress at which something happens to it next. */
  target: number;
  /** It has just come: its first iteration takes less than a period, once it is let in. */
  isNew: boolean;
  periodNs: number;
}

interface Pipeline {
  readonly jobs: Map<string, Running>;
  /** In force, and decided while jobs were leaving: those are waited for. */
  grouping: Grouping;
  nextGrouping: Grouping | null;
  busyDevices: number;
  tokensPerNs: number;
  /** Up to when its jobs' progress is known. */
  atNs: number;
  /** Events made for earlier jobs do not count. */
  version: number;
}

/** An iteration counts as ended this close to its end: progress is a sum of fractions. */
const NEARLY = 1e-7;

export const fastForward = (options: FastForwardOptions): ClusterResult => {
  const { grouper, kindOf, rateOf, evaluation, tickNs } = options;
  const scheduler = createScheduler({ ...options.scheduler, group: grouper.group });
  const arrivals = [...options.arrivals].sort((a, b) => a.timeNs - b.timeNs);
  const records = openRecords(arrivals);
  const pipelines = options.scheduler.budgetBytes.map(
    (): Pipeline => ({ jobs: new Map(), grouping: { groups: [] }, nextGrouping: null, busyDevices: 0, tokensPerNs: 0, atNs: 0, version: 0 }),
  );
  const queue = new FlatQueue<{ readonly pipeline: number; readonly version: number }>();
  const totals = { busyNs: 0, tokens: 0, endNs: 0, events: 0 };

  const advance = (pipeline: Pipeline, nowNs: number): void => {
    const passedNs = nowNs - pipeline.atNs;
    pipeline.atNs = nowNs;
    if (passedNs === 0 || pipeline.jobs.size === 0) return;
    for (const running of pipeline.jobs.values()) running.progress += passedNs / running.periodNs;
    totals.busyNs += pipeline.busyDevices * passedNs;
    totals.tokens += pipeline.tokensPerNs * passedNs;
  };

  const reckon = (number: number): void => {
    const pipeline = pipelines[number]!;
    pipeline.version += 1;
    if (pipeline.jobs.size === 0) return;
    if (pipeline.nextGrouping !== null && ![...pipeline.jobs.values()].some(({ leaves }) => leaves)) {
      pipeline.grouping = pipeline.nextGrouping;
      pipeline.nextGrouping = null;
    }
    const grouped = new Set(pipeline.grouping.groups.flatMap(({ jobs }) => jobs));
    const { microbatches: pieces = 1 } = pipeline.grouping.groups[0] ?? {};
    const others = [...pipeline.jobs.keys()].filter((id) => !grouped.has(id)).map((id) => ({ jobs: [id], microbatches: pieces }));
    const groups = [...pipeline.grouping.groups, ...others].map((group) => ({ ...group, jobs: group.jobs.filter((id) => pipeline.jobs.has(id)) })).filter(({ jobs }) => jobs.length > 0);
    const rate = rateOf(groups.map(({ jobs, microbatches }) => ({ kinds: jobs.map((id) => kindOf(pipeline.jobs.get(id)!.spec)), microbatches })));
    pipeline.busyDevices = rate.busyDevices;
    pipeline.tokensPerNs = rate.tokensPerNs;
    for (const [group, { jobs }] of groups.entries()) for (const id of jobs) pace(pipeline.jobs.get(id)!, rate.periodNs[group]!, rate.firstNs[group]!);
    const nextNs = Math.min(...[...pipeline.jobs.values()].map((running) => Math.max(0, running.target - running.progress) * running.periodNs));
    queue.push({ pipeline: number, version: pipeline.version }, pipeline.atNs + nextNs);
  };

  const pace = (running: Running, periodNs: number, firstNs: number): void => {
    running.periodNs = periodNs;
    if (running.isNew) running.progress += Math.max(0, 1 - firstNs / periodNs);
    running.isNew = false;
  };

  /** An end, an evaluation, or the iteration end at which a job leaves. */
  const targetOf = ({ spec, progress, leaves }: Omit<Running, 'target'>): number => {
    if (leaves) return Math.ceil(progress - NEARLY);
    const iteration = Math.floor(progress + NEARLY);
    const evaluated = evaluation === undefined ? Infinity : (Math.floor(iteration / evaluation.every) + 1) * evaluation.every;
    return Math.min(spec.iterations, evaluated);
  };

  const touched = new Set<number>();

  const obey = (decision: Decision, nowNs: number): void => {
    if (decision.kind === 'group') {
      pipelines[decision.pipeline]!.nextGrouping = decision;
      touched.add(decision.pipeline);
      return;
    }
    const record = records.get(decision.job)!;
    switch (decision.kind) {
      case 'refuse':
        record.outcome = 'refused';
        return;
      case 'admit':
      case 'resume': {
        record.startNs ??= nowNs;
        advance(pipelines[decision.pipeline]!, nowNs);
        const running = { spec: record.spec, progress: record.iterations, leaves: false, isNew: true, periodNs: 1 };
        pipelines[decision.pipeline]!.jobs.set(decision.job, { ...running, target: targetOf(running) });
        touched.add(decision.pipeline);
        return;
      }
      case 'preempt':
      case 'stop': {
        if (decision.kind === 'preempt') record.preemptions += 1;
        const pipeline = pipelines[decision.pipeline]!;
        advance(pipeline, nowNs);
        const running = pipeline.jobs.get(decision.job)!;
        running.leaves = true;
        running.target = targetOf(running);
        touched.add(decision.pipeline);
        return;
      }
      case 'finish':
        record.outcome = decision.outcome;
        record.iterations = decision.iteration;
        record.endNs = nowNs;
        totals.endNs = Math.max(totals.endNs, nowNs);
        return;
    }
  };

  const handle = (event: SchedulerEvent): void => {
    totals.events += 1;
    for (const decision of scheduler.handle(event)) obey(decision, event.timeNs);
  };

  const settle = (nowNs: number): void => {
    for (const number of touched) {
      advance(pipelines[number]!, nowNs);
      reckon(number);
    }
    touched.clear();
  };

  const report = (nowNs: number): void => {
    for (const pipeline of pipelines) {
      advance(pipeline, nowNs);
      for (const [job, { progress, target }] of [...pipeline.jobs]) {
        if (progress < target - NEARLY) handle({ kind: 'iterationFinished', timeNs: nowNs, job, iteration: Math.floor(progress + NEARLY) });
      }
    }
  };

  const happen = (number: number, nowNs: number): void => {
    const pipeline = pipelines[number]!;
    advance(pipeline, nowNs);
    touched.add(number);
    const due = [...pipeline.jobs.values()].filter(({ target, progress }) => progress >= target - NEARLY);
    for (const running of due) finishIteration(pipeline, running, nowNs);
  };

  const finishIteration = (pipeline: Pipeline, running: Running, nowNs: number): void => {
    const { spec } = running;
    const iteration = Math.min(spec.iterations, Math.round(running.progress));
    running.progress = iteration;
    running.target = targetOf(running);
    const record = records.get(spec.id)!;
    record.iterations = iteration;
    if (running.leaves || iteration === spec.iterations) pipeline.jobs.delete(spec.id);
    if (running.leaves && iteration < spec.iterations) return handle({ kind: 'left', timeNs: nowNs, job: spec.id, iteration });
    handle({ kind: 'iterationFinished', timeNs: nowNs, job: spec.id, iteration });
    if (iteration === spec.iterations || evaluation === undefined || iteration % evaluation.every > 0) return;
    handle({ kind: 'evaluated', timeNs: nowNs, job: spec.id, iteration, loss: evaluation.lossOf(spec, iteration) });
  };

  let nextTickNs = tickNs ?? Infinity;
  const followsProgress = options.scheduler.policy.name === 'shortest';
  let arrived = 0;
  for (;;) {
    while (queue.length > 0 && queue.peek()!.version !== pipelines[queue.peek()!.pipeline]!.version) queue.pop();
    const eventNs = queue.peekValue() ?? Infinity;
    const arrivalNs = arrivals[arrived]?.timeNs ?? Infinity;
    const nowNs = Math.min(eventNs, arrivalNs);
    if (nowNs === Infinity) break;
    if (nextTickNs < nowNs) {
      if (scheduler.waitingCount() > 0) report(nextTickNs);
      settle(nextTickNs);
      nextTickNs = Math.max(nextTickNs + tickNs!, scheduler.waitingCount() > 0 ? 0 : nowNs);
      continue;
    }
    if (arrivalNs <= eventNs) {
      if (followsProgress) report(nowNs);
      handle({ kind: 'submitted', timeNs: nowNs, job: arrivals[arrived++]!.job });
    } else happen(queue.pop()!.pipeline, nowNs);
    settle(nowNs);
  }
  return { jobs: [...records.values()], ...totals };
};
