import type { PipelineTimes } from '../../core/planners/round-time.ts';
import type { SchedulerEvent, Decision } from '../../core/scheduler/events.ts';
import type { JobSpec } from '../../core/scheduler/job.ts';
import type { Scheduler } from '../../core/scheduler/scheduler.ts';
import type { AdapterWorkload } from '../../core/workload.ts';
import type { Crew } from '../run/crew.ts';
import type { Evaluation, JobProgress } from '../run/job-records.ts';
import type { AdapterState } from '../stage.ts';
import type { JobKinds } from './job-kinds.ts';
import type { LivePlan } from './live-plan.ts';
import type { LiveEvent, LiveRunOptions } from './live-run.ts';
import type { LiveTrace } from './live-trace.ts';
import type { OpenJob } from './open-job.ts';

/** A job from its submission until its end is on disk. */
export interface LiveEntry extends Omit<OpenJob, 'progress'> {
  readonly spec: JobSpec;
  readonly kind: number;
  readonly workload: AdapterWorkload;
  /** States by iteration: those that a device's loss would set it back to, and that of its last evaluation. */
  readonly states: Map<number, AdapterState>;
  /** States that wait to be written. */
  unwritten: AdapterState[];
  readonly heldoutBefore: JobProgress['heldoutBefore'];
  /** As they come in, also of iterations after the last state. */
  losses: number[];
  evaluations: readonly Evaluation[];
  /** Iterations at the last evaluation that the scheduler was told; null: none. */
  evaluatedAt: number | null;
  /** Iterations at the evaluation that stopped it; null: nothing did. */
  stoppedAt: number | null;
  stay: Stay | null;
  /** Why it failed. */
  failure: string | null;
  heldBytes: readonly number[] | null;
  /** Iterations of which the scheduler was told what they held. */
  measured: number;
  /** Its events so far are told once this settles. */
  telling: Promise<void>;
}

/** A job on the ranks, from its admission until its state is back. */
export interface Stay {
  readonly number: number;
  readonly entry: LiveEntry;
  readonly first: number;
  /** Iterations after which it leaves; null: its last one. */
  leavesAt: number | null;
  /** Iterations that are complete. */
  completed: number;
  failure: string | null;
  /** Held-out losses that came in before the iterations they belong behind. */
  early: Evaluation[];
}

/** Everything a live run knows. */
export interface Live {
  readonly options: LiveRunOptions;
  readonly scheduler: Scheduler;
  readonly budgetBytes: readonly number[];
  readonly times: PipelineTimes;
  readonly kinds: JobKinds;
  readonly trace: LiveTrace;
  readonly entries: Map<string, LiveEntry>;
  /** Those on the present crew, by number. */
  readonly stays: Map<number, Stay>;
  /** Of all stays of the run, by number: what plans are made from, and which costs they have. */
  readonly workloads: AdapterWorkload[];
  readonly kindOfStay: number[];
  readonly refusals: Map<string, Extract<Decision, { readonly kind: 'refuse' }>['reason']>;
  /** Zero of the run's time on this process's clock. */
  readonly zeroNs: number;
  plan: LivePlan;
  /** Ranks that run the plan; null: they are coming up, or gone. */
  crew: Crew | null;
  /** Ranks that are there, ready or not. */
  started: Crew | null;
  passesBegun: number;
  /** A crew has come up before. */
  wasReady: boolean;
  /** Since the present crew is there. */
  iterationsMade: number;
  readonly pending: SchedulerEvent[];
  isHandling: boolean;
  phase: 'running' | 'closing' | 'ended';
  /** What has ended the run from outside the ranks. */
  failure: Error | null;
  /** Settles when everything that was to be written is. */
  writing: Promise<void>;
  telling: Promise<void>;
}

/** Tells an event after those before it, never at once. */
export const tell = (live: Live, event: LiveEvent): void => {
  live.telling = live.telling.then(() => live.options.onEvent(event));
};

/** Tells an event of a job after those before it, and after what it is about is on disk. Nothing follows what could not be written. */
export const tellOf = (live: Live, entry: LiveEntry, event: LiveEvent, written: Promise<void> = Promise.resolve()): Promise<void> => {
  entry.telling = entry.telling.then(() => written).then(() => tell(live, event));
  entry.telling.catch(() => undefined);
  return entry.telling.then(() => live.telling);
};

/** Writes after what is to be written already; what cannot be written ends the run. */
export const write = (live: Live, task: () => Promise<void>): Promise<void> => {
  live.writing = live.writing.then(task);
  live.writing.catch((error: unknown) => failRun(live, error instanceof Error ? error : new Error(String(error))));
  return live.writing;
};

const failRun = (live: Live, error: Error): void => {
  live.failure ??= error;
  live.started?.fail(live.failure);
};
