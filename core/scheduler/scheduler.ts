/**
 * The task scheduler (paper section 3.4) as a state machine: events in, decisions out. It reads no clock, draws nothing
 * and does nothing itself; whoever drives it carries decisions out at iteration ends and reports what happened. A job
 * that is told to leave holds its memory until `left` is reported, so promises about memory do not depend on how fast a
 * driver is. The same events give the same decisions, also after a restart from the saved state.
 */
import type { Decision, Grouping, MeasuredMemory, SchedulerEvent } from './events.ts';
import { isFinalist, isHeldAtRung, isSweepOver, promote, promoteBest, reachRung, startSweep, type Halving, type SweepState } from './halving.ts';
import { isActive, isHeld, questionOf, startJob, type AfterLeaving, type HeldoutLoss, type JobSpec, type JobStart, type JobState, type Outcome } from './job.ts';
import { createMemoryModel, type MemoryObservations } from './memory-model.ts';
import { findMisfit } from './misfit.ts';
import { isOutOfPatience } from './patience.ts';
import { placeJobs, type PipelineRoom } from './placement.ts';
import type { Policy } from './policy.ts';
import { createWaitingJobs } from './waiting-jobs.ts';

export interface SchedulerOptions {
  readonly policy: Policy;
  /** Bytes that each pipeline has for jobs, by device: capacity less frozen weights and context. */
  readonly budgetBytes: readonly (readonly number[])[];
  /** Most jobs on one pipeline. */
  readonly slots: number;
  /** `whenEmpty`: a pipeline takes jobs only when it has none. Absent: `continuous`. */
  readonly refill?: 'continuous' | 'whenEmpty';
  /** How the jobs of a pipeline run together; absent: nothing is said about it. */
  readonly group?: (jobs: readonly JobSpec[]) => Grouping;
  /** Whether a job may run beside others, memory aside; absent: it may. */
  readonly mayJoin?: (running: readonly JobSpec[], job: JobSpec) => boolean;
}

/** Everything a scheduler knows, as plain data. */
export interface SchedulerState {
  readonly submissions: number;
  readonly jobs: readonly JobState[];
  readonly pipelines: readonly { readonly budgetBytes: readonly number[]; readonly isUp: boolean }[];
  /** Work done by user, in nanoseconds at the slowest device. */
  readonly serviceNs: Readonly<Record<string, number>>;
  readonly memory: MemoryObservations;
  readonly sweeps: Readonly<Record<string, SweepState>>;
}

export interface Scheduler {
  readonly handle: (event: SchedulerEvent) => readonly Decision[];
  /** A copy, to be saved or looked at. */
  readonly state: () => SchedulerState;
  /** The unfinished job of a name. */
  readonly job: (id: string) => Readonly<JobState> | undefined;
  /** Jobs that hold memory on a pipeline. */
  readonly jobsOn: (pipeline: number) => readonly Readonly<JobState>[];
  readonly waitingCount: () => number;
}

interface UserState {
  serviceNs: number;
  placed: number;
  unfinished: number;
}

export const createScheduler = (options: SchedulerOptions, saved?: SchedulerState): Scheduler => {
  const { policy } = options;
  const start = structuredClone(saved);
  let submissions = start?.submissions ?? 0;
  const jobs = new Map<string, JobState>();
  const users = new Map<string, UserState>();
  const sweeps: Record<string, SweepState> = { ...start?.sweeps };
  const memory = createMemoryModel(start?.memory ?? {});
  const rooms: PipelineRoom[] = (start?.pipelines ?? options.budgetBytes.map((budgetBytes) => ({ budgetBytes, isUp: true }))).map(
    ({ budgetBytes, isUp }) => ({ budgetBytes, isUp, jobs: new Set<JobState>() }),
  );
  const userOf = (user: string): UserState => {
    const known = users.get(user);
    if (known !== undefined) return known;
    const fresh = { serviceNs: 0, placed: 0, unfinished: 0 };
    users.set(user, fresh);
    return fresh;
  };
  const usage = { serviceNs: (user: string) => userOf(user).serviceNs, placed: (user: string) => userOf(user).placed };
  const waiting = createWaitingJobs(policy, usage);
  let decisions: Decision[] = [];
  /** Pipelines whose jobs changed in this event. */
  const changed = new Set<number>();
  /** Whether places may have to be given anew. */
  let isUnsettled = false;

  // Jobs.

  const hold = (job: JobState): void => {
    rooms[job.pipeline]!.jobs.add(job);
    userOf(job.spec.user).placed += 1;
    waiting.rerank(job);
    changed.add(job.pipeline);
  };

  const free = (job: JobState): void => {
    if (job.pipeline < 0) return;
    rooms[job.pipeline]!.jobs.delete(job);
    userOf(job.spec.user).placed -= 1;
    waiting.rerank(job);
    changed.add(job.pipeline);
    job.pipeline = -1;
    job.reservedBytes = [];
    job.passedOthers = false;
  };

  const wait = (job: JobState): void => {
    job.status = 'waiting';
    waiting.push(job);
    isUnsettled = true;
  };

  const finish = (job: JobState, outcome: Outcome): void => {
    if (job.status === 'waiting') waiting.remove(job);
    const wasActive = isActive(job);
    free(job);
    jobs.delete(job.spec.id);
    const user = userOf(job.spec.user);
    user.unfinished -= 1;
    decisions.push({ kind: 'finish', job: job.spec.id, outcome, iteration: job.iteration });
    if (outcome === 'completed' && job.spec.sweep !== undefined) sweeps[job.spec.sweep.name]!.ended += 1;
    if (wasActive) deactivate(job);
  };

  const sendAway = (job: JobState, afterLeaving: AfterLeaving): void => {
    job.afterLeaving = afterLeaving;
    if (job.status === 'leaving') return;
    job.status = 'leaving';
    changed.add(job.pipeline);
  };

  const preempt = (job: JobState, afterLeaving: 'waiting' | 'paused'): void => {
    sendAway(job, afterLeaving);
    decisions.push({ kind: 'preempt', job: job.spec.id, pipeline: job.pipeline });
  };

  const stop = (job: JobState, reason: 'patience' | 'halving' | 'cancelled'): void => {
    const outcome = reason === 'cancelled' ? 'cancelled' : 'stopped';
    if (reason === 'patience') noteFinalist(job);
    if (job.status === 'waiting' || job.status === 'paused') return finish(job, outcome);
    if (job.status === 'leaving' && (job.afterLeaving === 'stopped' || job.afterLeaving === 'cancelled')) return;
    const wasActive = isActive(job);
    decisions.push({ kind: 'stop', job: job.spec.id, pipeline: job.pipeline, reason });
    sendAway(job, outcome);
    if (wasActive) deactivate(job);
  };

  const note = (job: JobState, iteration: number): void => {
    if (iteration <= job.iteration) return;
    userOf(job.spec.user).serviceNs += (iteration - job.iteration) * job.spec.iterationNs;
    waiting.rerank(job);
    job.iteration = iteration;
  };

  // Sweeps.

  const deactivate = ({ spec }: JobState): void => {
    sweeps[spec.sweep!.name]!.active -= 1;
    concludeSweep(spec.sweep!);
  };

  /** Ends a sweep of which no trial can go on by itself; one at least is trained to its end. */
  const concludeSweep = (halving: Halving): void => {
    const sweep = sweeps[halving.name]!;
    if (!isSweepOver(sweep, halving)) return;
    const best = sweep.ended > 0 ? null : promoteBest(sweep, (id) => isHeld(jobs.get(id)));
    if (best !== null) return goOn(best, sweep);
    for (const other of [...jobs.values()]) if (other.spec.sweep?.name === halving.name) stop(other, 'halving');
  };

  const noteFinalist = ({ spec: { id, sweep: halving } }: JobState): void => {
    if (halving === undefined) return;
    const sweep = sweeps[halving.name]!;
    if (isFinalist(sweep, id)) sweep.ended += 1;
  };

  const refuseTrial = (halving: Halving): void => {
    const sweep = (sweeps[halving.name] ??= startSweep(halving));
    sweep.refused += 1;
    concludeSweep(halving);
  };

  const judge = (job: JobState, evaluation: HeldoutLoss): void => {
    if (job.spec.sweep === undefined || !isActive(job) || passesRung(job, evaluation)) return;
    if (job.status === 'running') preempt(job, 'paused');
    else if (job.status === 'leaving') sendAway(job, 'paused');
    deactivate(job);
  };

  /** Whether a trial may go on after an evaluation; others may go on with it. */
  const passesRung = ({ spec: { id, sweep: halving } }: JobState, evaluation: HeldoutLoss): boolean => {
    const sweep = sweeps[halving!.name]!;
    if (!reachRung(sweep, halving!, id, evaluation)) return true;
    const promoted = promote(sweep, halving!);
    for (const other of promoted) if (other !== id) goOn(other, sweep);
    return promoted.includes(id);
  };

  const goOn = (id: string, sweep: SweepState): void => {
    const job = jobs.get(id);
    if (job === undefined || (job.status === 'leaving' && job.afterLeaving !== 'paused')) return;
    sweep.active += 1;
    if (job.status === 'paused') wait(job);
    else job.afterLeaving = 'waiting';
  };

  // Events.

  const submit = (spec: JobSpec, timeNs: number, earlier: JobStart = { iteration: 0, evaluations: [] }): void => {
    const reason = jobs.has(spec.id) ? ({ kind: 'duplicate' } as const) : findMisfit(memory.upperBytes(questionOf(spec)), rooms);
    if (reason !== null) {
      decisions.push({ kind: 'refuse', job: spec.id, reason });
      return spec.sweep === undefined || reason.kind === 'duplicate' ? undefined : refuseTrial(spec.sweep);
    }
    const user = userOf(spec.user);
    if (user.unfinished === 0) user.serviceNs = Math.max(user.serviceNs, leastService());
    user.unfinished += 1;
    const job = startJob(spec, submissions++, timeNs);
    jobs.set(spec.id, job);
    if (spec.sweep !== undefined) {
      const sweep = (sweeps[spec.sweep.name] ??= startSweep(spec.sweep));
      sweep.submitted += 1;
      sweep.active += 1;
    }
    job.iteration = job.checkpoint = earlier.iteration;
    wait(job);
    if (job.iteration >= spec.iterations) finish(job, 'completed');
    else recall(job, earlier.evaluations);
  };

  /** What the evaluations of an earlier run mean for a job. */
  const recall = (job: JobState, evaluations: JobStart['evaluations']): void => {
    const { patience, sweep: halving } = job.spec;
    for (const evaluation of evaluations) {
      job.evaluated = evaluation.iteration;
      if (patience !== undefined && isOutOfPatience(job, evaluation.loss, patience)) return stop(job, 'patience');
      if (halving !== undefined) passesRung(job, evaluation);
    }
    if (halving === undefined || !isHeldAtRung(sweeps[halving.name]!, job.spec.id)) return;
    waiting.remove(job);
    job.status = 'paused';
    deactivate(job);
  };

  /** Of users that have jobs: who comes back gets no credit for the time away. */
  const leastService = (): number => {
    const active = [...users.values()].filter(({ unfinished }) => unfinished > 0);
    return active.length === 0 ? 0 : Math.min(...active.map(({ serviceNs }) => serviceNs));
  };

  const finishIteration = (job: JobState, iteration: number, measured: MeasuredMemory | undefined): void => {
    note(job, iteration);
    if (measured !== undefined) {
      const { heldBytes, ...of } = measured;
      memory.observe({ ...questionOf(job.spec), ...of }, heldBytes);
      if (job.reservedBytes.some((bytes, device) => bytes < heldBytes[device]!)) isUnsettled = true;
      job.reservedBytes = job.reservedBytes.map((bytes, device) => Math.max(bytes, heldBytes[device]!));
    }
    if (job.iteration >= job.spec.iterations) finish(job, 'completed');
  };

  const leave = (job: JobState, iteration: number): void => {
    note(job, iteration);
    job.checkpoint = job.iteration;
    if (job.iteration >= job.spec.iterations) return finish(job, 'completed');
    const { afterLeaving } = job;
    if (afterLeaving === 'stopped' || afterLeaving === 'cancelled') return finish(job, afterLeaving);
    free(job);
    if (afterLeaving === 'waiting') return wait(job);
    job.status = 'paused';
  };

  const loseDevice = (pipeline: number): void => {
    const room = rooms[pipeline]!;
    room.isUp = false;
    for (const job of [...room.jobs]) {
      job.iteration = job.checkpoint;
      if (job.status === 'running') sendAway(job, 'waiting');
      leave(job, job.checkpoint);
    }
  };

  const changePriority = (job: JobState, priority: number): void => {
    if (job.status === 'waiting') waiting.remove(job);
    job.priority = priority;
    if (job.status === 'waiting') waiting.push(job);
    isUnsettled = true;
  };

  const isOn = (job: JobState): boolean => job.status === 'running' || job.status === 'leaving';

  const apply = (event: SchedulerEvent): void => {
    switch (event.kind) {
      case 'submitted':
        return submit(event.job, event.timeNs, event.start);
      case 'trialRefused':
        return refuseTrial(event.sweep);
      case 'deviceLost':
        return loseDevice(event.pipeline);
      case 'pipelineReady':
        isUnsettled = true;
        return void Object.assign(rooms[event.pipeline]!, { isUp: true, budgetBytes: event.budgetBytes });
      default: {
        const job = jobs.get(event.job);
        return job === undefined ? undefined : applyToJob(event, job);
      }
    }
  };

  const applyToJob = (event: Extract<SchedulerEvent, { readonly job: string }>, job: JobState): void => {
    switch (event.kind) {
      case 'iterationFinished':
        return isOn(job) ? finishIteration(job, event.iteration, event.measured) : undefined;
      case 'evaluated': {
        if (!isOn(job) || event.iteration <= job.evaluated) return;
        job.evaluated = event.iteration;
        const { patience } = job.spec;
        if (patience !== undefined && isOutOfPatience(job, event.loss, patience)) return stop(job, 'patience');
        return judge(job, event);
      }
      case 'checkpointed':
        // One beyond where the job stands was written late, after its iteration was lost with a device: it is made again from the earlier one.
        if (event.iteration <= job.iteration) job.checkpoint = Math.max(job.checkpoint, event.iteration);
        return;
      case 'left':
        return job.status === 'leaving' ? leave(job, event.iteration) : undefined;
      case 'cancelled':
        return stop(job, 'cancelled');
      case 'failed':
        return finish(job, 'failed');
      case 'priorityChanged':
        return changePriority(job, event.priority);
    }
  };

  const place = (): void => {
    if (!isUnsettled && changed.size === 0 && !(policy.followsService && waiting.size() > 0)) return;
    placeJobs({
      rooms,
      waiting,
      policy,
      usage,
      slots: options.slots,
      refill: options.refill ?? 'continuous',
      needOf: ({ spec }) => memory.upperBytes(questionOf(spec)),
      mayJoin: (running, job) => options.mayJoin?.(running.map(({ spec }) => spec), job.spec) ?? true,
      admit: (job, pipeline, passedOthers) => {
        Object.assign(job, { status: 'running', pipeline, passedOthers, reservedBytes: memory.upperBytes(questionOf(job.spec)) });
        hold(job);
        const { id } = job.spec;
        decisions.push(job.iteration === 0 ? { kind: 'admit', job: id, pipeline } : { kind: 'resume', job: id, pipeline, iteration: job.iteration });
      },
      preempt: (job) => preempt(job, 'waiting'),
      giveUp: (job) => finish(job, 'neverFits'),
    });
  };

  const regroup = (): void => {
    const { group } = options;
    if (group === undefined) return;
    for (const pipeline of changed) {
      const running = [...rooms[pipeline]!.jobs].filter(({ status }) => status === 'running').sort((a, b) => a.sequence - b.sequence);
      if (running.length > 0) decisions.push({ kind: 'group', pipeline, ...group(running.map(({ spec }) => spec)) });
    }
  };

  const restore = (): void => {
    for (const [user, serviceNs] of Object.entries(start?.serviceNs ?? {})) userOf(user).serviceNs = serviceNs;
    for (const job of start?.jobs ?? []) {
      jobs.set(job.spec.id, job);
      userOf(job.spec.user).unfinished += 1;
      if (job.status === 'waiting') waiting.push(job);
      if (job.pipeline >= 0) hold(job);
    }
    changed.clear();
  };
  restore();

  return {
    handle: (event) => {
      decisions = [];
      changed.clear();
      isUnsettled = false;
      apply(event);
      place();
      regroup();
      return decisions;
    },
    state: () =>
      structuredClone({
        submissions,
        jobs: [...jobs.values()],
        pipelines: rooms.map(({ budgetBytes, isUp }) => ({ budgetBytes, isUp })),
        serviceNs: Object.fromEntries([...users].map(([user, { serviceNs }]) => [user, serviceNs])),
        memory: memory.observations,
        sweeps,
      }),
    job: (id) => jobs.get(id),
    jobsOn: (pipeline) => [...rooms[pipeline]!.jobs],
    waitingCount: () => waiting.size(),
  };
};
