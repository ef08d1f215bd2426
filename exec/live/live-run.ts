/**
 * A live run: a crew of ranks and the base model stay up while jobs come and go. The task scheduler decides
 * (core/scheduler), the LoRAPP plan grows under it (core/planners/lorapp-changes.ts), ranks run it piece by piece.
 *
 * What is durable. `folder` belongs to one live run at a time and holds
 *
 *     jobs/<id>/checkpoints/iteration-N/   state of the job after N iterations, written whole or not at all
 *     jobs/<id>/adapter/                   PEFT folder, written whole or not at all
 *     jobs/<id>/outcome.json               how the job ended; written last, before `finished` is told
 *     scheduler.json                       measured memory, rungs of sweeps, service by user
 *
 * So whoever keeps the jobs (a server) has to keep, before it confirms a submission, what it passes to `submit`, and after
 * a restart on the same folder submit every job again whose `finished` it has not recorded, in the order in which they
 * were first submitted. A job that has an outcome is told as `finished` again at once and does nothing else; one that has
 * a checkpoint goes on behind it; any other one begins. Then it does not matter when this process or a rank is killed:
 * every job finishes once, with the adapter it would have had undisturbed, bit for bit. The ranks keep nothing on disk and
 * end by themselves when this process is gone.
 *
 * Why the bits are the same: data order, dropout and learning rates are functions of seed and iteration; a mini-batch is
 * cut into `microbatches` pieces (one a row where it has fewer rows), whoever else runs and however jobs are grouped; rows
 * of a microbatch do not touch each other. A job with patience or a sweep is checkpointed at each of its evaluations, and
 * one that is stopped keeps the adapter it had at the evaluation that stopped it, however far it had got meanwhile.
 *
 * After a lost rank, and after a restart, iterations behind the last checkpoint are made again: `iteration` and `evaluated`
 * are told again with the same numbers and the same losses.
 */
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { CostModel } from '../../core/cost-model.ts';
import type { CheckpointSettings } from '../../core/experiment/experiment.ts';
import type { Job } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import type { Halving } from '../../core/scheduler/halving.ts';
import type { Outcome } from '../../core/scheduler/job.ts';
import type { Patience } from '../../core/scheduler/patience.ts';
import type { Policy } from '../../core/scheduler/policy.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import type { RowReader } from '../data/row-reader.ts';
import type { ExecError, FileProblems } from '../exec-error.ts';

/** What planner and scheduler are told about time and bytes. */
export interface LiveCosts {
  /**
   * Costs of ops on the stages of the run; adapter i is `jobs[i]`. Asked again, with one job more, whenever a job comes
   * whose adapter or optimizer is unlike all before.
   */
  readonly costOf: (jobs: readonly Job[]) => CostModel;
  /** Time of an undisturbed transfer between neighbouring stages. */
  readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
}

export interface LiveSchedulerOptions {
  readonly policy: Policy;
  /** Most jobs at once. */
  readonly slots: number;
  /** Most BatchLoRA groups that are tried; absent: two for each device. */
  readonly mostGroups?: number;
  /** A job joins where predicted throughput rises by at least this share; absent: 1 %. */
  readonly leastGain?: number;
  /** No job's iterations may take longer than this many times what they take alone; absent: they may. */
  readonly maximumSlowdown?: number;
}

export interface LiveRunOptions {
  readonly model: Model;
  /** Folder of weights and tokenizer. */
  readonly modelFolder: string;
  readonly backend: BackendName | 'auto';
  /** Names of the devices, for traces; a rank each. */
  readonly devices: readonly string[];
  /** A pipeline over all layers, as `placeStages` makes it. */
  readonly stages: readonly StagePlacement[];
  /** Memory of each device in bytes: frozen weights and what else is resident is taken off for jobs. */
  readonly capacityBytes: readonly number[];
  readonly costs: LiveCosts;
  readonly scheduler: LiveSchedulerOptions;
  /** Pieces each mini-batch is cut into. Another number makes other roundings, so earlier checkpoints are refused. */
  readonly microbatches: number;
  readonly checkpoint: CheckpointSettings;
  readonly folder: string;
  /** One operating-system process per device, or all devices as tasks of this process. */
  readonly ranks: 'processes' | 'tasks';
  /** Called in order, never while a method of the run is on the stack; must not throw. */
  readonly onEvent: (event: LiveEvent) => void;
  /**
   * Called before a checkpoint or the end of a job is written, after `onEvent` had every event it covers: those are not told
   * again after a kill, so whoever must not miss one has them on disk when this returns. A throw ends the run.
   */
  readonly beforeWriting?: () => void;
  /** Ops that `trace()` reaches back; absent: 100,000. */
  readonly traceOps?: number;
  /** Seconds without a word from a rank's process after which it counts as hung. */
  readonly patienceSeconds?: number;
  /** Script that a rank's process runs; the built `rank-main.js` unless given. */
  readonly rankEntry?: string;
  /** How rows of jobs are read; absent: `readJobRows`, while which nothing else happens here. */
  readonly readRows?: RowReader;
}

/** A job as it is submitted; plain data, so that it can be kept as JSON. */
export interface LiveJob {
  /** Names the job and its folder for ever: letters, digits, `.`, `_` and `-`, not beginning with a dot. */
  readonly id: string;
  readonly user: string;
  /**
   * The task. `data` is in files, by absolute paths that stay until the job has finished; `priority` is the one to begin
   * with, `arrivalNs` counts for nothing: a job arrives when it is submitted. `name` is what PEFT folder and charts call it.
   */
  readonly job: Job;
  /** Stops it when its held-out loss no longer falls. Needs held-out rows and `job.evaluate`. */
  readonly patience?: Patience;
  /** Sweep it is a trial of; rungs are at multiples of `job.evaluate.every`. Needs held-out rows too. */
  readonly sweep?: Halving;
  /** When it was first submitted, in milliseconds of the wall clock, for policies that look at waiting; absent: now. */
  readonly submittedMs?: number;
}

/** Why a job was not taken. Nothing of it is kept. */
export type LiveRefusal =
  /** Everything wrong with its settings, its files or its checkpoints. */
  | { readonly kind: 'badInput'; readonly files: readonly FileProblems[] }
  /** Even alone it needs more than a device has for jobs, at the upper end of the margin. */
  | { readonly kind: 'neverFits'; readonly device: string; readonly requiredBytes: number; readonly availableBytes: number }
  /** A job of that id has not finished yet. */
  | { readonly kind: 'duplicate' }
  /** The run is being closed, or has ended. */
  | { readonly kind: 'closed' };

/** `paused` by its sweep, which may let it go on; `leaving` at its next iteration end. */
export type LiveJobStatus = 'waiting' | 'running' | 'leaving' | 'paused';

/** A job that has not finished, as it stands now. */
export interface LiveJobState {
  readonly id: string;
  readonly status: LiveJobStatus;
  readonly priority: number;
  /** Iterations made, and those of the whole job. */
  readonly iteration: number;
  readonly iterations: number;
  /** Iterations that no crash can lose. */
  readonly checkpoint: number;
  /** The most it was measured to hold on each device so far; null: not measured yet. */
  readonly heldBytes: readonly number[] | null;
}

/** What happens; `iteration` counts iterations made. All of one job but `checkpointed` is in order. */
export type LiveEvent =
  /** The ranks are up with the base model: at the start, and again after each loss. */
  | { readonly kind: 'ready'; readonly backend: BackendName; readonly processIds: readonly number[] }
  /** The job is taken; `iteration` is that of its checkpoint. Told before `submit` resolves. */
  | { readonly kind: 'queued'; readonly job: string; readonly iteration: number; readonly iterations: number }
  | { readonly kind: 'admitted'; readonly job: string }
  | { readonly kind: 'resumed'; readonly job: string; readonly iteration: number }
  /** Off the ranks; `checkpointed` tells when that state is on disk. It waits for a place again, or `paused`: for its sweep. */
  | { readonly kind: 'preempted'; readonly job: string; readonly iteration: number; readonly paused: boolean }
  /** Mean training loss of the iteration that was made last, in nats per target token. */
  | { readonly kind: 'iteration'; readonly job: string; readonly iteration: number; readonly loss: number }
  /** Mean held-out loss of the weights after `iteration` iterations. */
  | { readonly kind: 'evaluated'; readonly job: string; readonly iteration: number; readonly loss: number }
  /** The state after `iteration` iterations is on disk, at some time after they were made. Where the disk is slow, some are left out. */
  | { readonly kind: 'checkpointed'; readonly job: string; readonly iteration: number }
  /** Told once in the life of this process, with the last event of the job; its outcome is on disk. */
  | LiveFinish
  /** A rank was lost; jobs that ran go back to their checkpoints and wait. `ready` follows, or `ended`. */
  | { readonly kind: 'rankLost'; readonly error: ExecError }
  | { readonly kind: 'setBack'; readonly job: string; readonly iteration: number }
  /** The run cannot go on: ranks do not come up again, or the disk takes no more. Unfinished jobs are as after a kill. */
  | { readonly kind: 'ended'; readonly error: ExecError };

export interface LiveFinish {
  readonly kind: 'finished';
  readonly job: string;
  readonly outcome: Outcome;
  /** Iterations that its adapter has made: all of them, or those up to the evaluation that stopped it. */
  readonly iteration: number;
  /** Iterations that were made in all, also those behind the evaluation that stopped it. */
  readonly made: number;
  /** Held-out loss of its adapter; null where it has none, or no held-out rows. */
  readonly heldoutLoss: number | null;
  /** Of a job that is completed or stopped; else null. */
  readonly adapterFolder: string | null;
  /** Of a job that failed or no longer fits: why, for people; else null. */
  readonly error: string | null;
}

export interface LiveRun {
  /**
   * Reads the job's data and its checkpoint, if there is one, and puts it into the queue. Submissions are taken in order.
   * What is wrong with a job's files costs that job only.
   */
  readonly submit: (job: LiveJob) => TaskEither<LiveRefusal, void>;
  /** Takes the job off at its next iteration end, or out of the queue; `finished` follows. False: there is no such job. */
  readonly cancel: (id: string) => boolean;
  /** False: there is no such job. */
  readonly changePriority: (id: string, priority: number) => boolean;
  /** The jobs that have not finished, in order of submission. */
  readonly jobs: () => readonly LiveJobState[];
  /** What the ranks did lately, measured: the last `traceOps` ops, every job an adapter by its id. */
  readonly trace: () => Trace;
  /** Has every job leave at its next iteration end, writes their checkpoints and dismisses the ranks; no job is told as finished by that. */
  readonly close: () => Promise<void>;
}

/** Brings the ranks up with the base model. Left: the model or the folder is no good, or the ranks do not come up. */
export type StartLiveRun = (options: LiveRunOptions) => TaskEither<ExecError, LiveRun>;
