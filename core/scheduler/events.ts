import type { Halving } from './halving.ts';
import type { JobSpec, JobStart, Outcome } from './job.ts';
import type { JobSize } from './memory-law.ts';

/**
 * What the scheduler is told. Whoever drives it (executor, simulation) reports in order of time; an event about a job
 * that is finished or no longer runs is ignored, so that a late or repeated report does no harm.
 */
export type SchedulerEvent = { readonly timeNs: number } & (
  /** `start`: how far a job has come that an earlier run has left; absent: it is fresh. */
  | { readonly kind: 'submitted'; readonly job: JobSpec; readonly start?: JobStart }
  /** A trial of a sweep cannot be submitted: the others are not to wait for it. */
  | { readonly kind: 'trialRefused'; readonly sweep: Halving }
  /** `iteration` iterations are finished; `measured`: what the job held during the last one, where that is known. */
  | { readonly kind: 'iterationFinished'; readonly job: string; readonly iteration: number; readonly loss?: number; readonly measured?: MeasuredMemory }
  /** Held-out loss of the weights after `iteration` iterations. */
  | { readonly kind: 'evaluated'; readonly job: string; readonly iteration: number; readonly loss: number }
  /** The state after `iteration` iterations would survive a lost device. */
  | { readonly kind: 'checkpointed'; readonly job: string; readonly iteration: number }
  /** A job that was preempted or stopped is off its pipeline after `iteration` iterations; its state is saved. */
  | { readonly kind: 'left'; readonly job: string; readonly iteration: number }
  | { readonly kind: 'cancelled'; readonly job: string }
  /** The job cannot go on, and is off its pipeline. */
  | { readonly kind: 'failed'; readonly job: string }
  | { readonly kind: 'priorityChanged'; readonly job: string; readonly priority: number }
  /** A device of a pipeline is gone: its jobs go back to their checkpoints. */
  | { readonly kind: 'deviceLost'; readonly pipeline: number }
  /** A pipeline has these bytes for jobs on each device: it is back, or has another capacity. */
  | { readonly kind: 'pipelineReady'; readonly pipeline: number; readonly budgetBytes: readonly number[] }
);

/** The most that a job held on each device while it made an iteration. */
export interface MeasuredMemory {
  readonly heldBytes: readonly number[];
  /** What was in flight then on each device, and what the ledger says of it; absent: the mini-batch of the job's spec. */
  readonly sizes?: readonly JobSize[];
  readonly ledgerBytes?: readonly number[];
  /** The part of it that was predicted: what lives only while a pass runs. */
  readonly passBytes?: readonly number[];
}

/** Which adapters share microbatches on a pipeline, and into how many pieces each group's mini-batches are cut. */
export interface Grouping {
  readonly groups: readonly { readonly jobs: readonly string[]; readonly microbatches: number }[];
}

/** What the scheduler wants done. All of it takes effect at iteration ends of the jobs concerned. */
export type Decision =
  /** Never runs: no pipeline, empty, holds it. */
  | { readonly kind: 'refuse'; readonly job: string; readonly reason: Misfit | { readonly kind: 'duplicate' } }
  /** Load the job on the pipeline and begin with iteration 0. */
  | { readonly kind: 'admit'; readonly job: string; readonly pipeline: number }
  /** Load it from its checkpoint and go on after `iteration` iterations. */
  | { readonly kind: 'resume'; readonly job: string; readonly pipeline: number; readonly iteration: number }
  /** Take it off at its next iteration end, keep its state, report `left`. */
  | { readonly kind: 'preempt'; readonly job: string; readonly pipeline: number }
  /** The same, for good. */
  | { readonly kind: 'stop'; readonly job: string; readonly pipeline: number; readonly reason: 'patience' | 'halving' | 'cancelled' }
  /** Said once of every job that was not refused. */
  | { readonly kind: 'finish'; readonly job: string; readonly outcome: Outcome; readonly iteration: number }
  /** The jobs of a pipeline run like this from each one's next iteration on. */
  | ({ readonly kind: 'group'; readonly pipeline: number } & Grouping);

/** Bytes that a job needs, at the upper end of their margin, on the device where most is missing. */
export interface Misfit {
  readonly kind: 'neverFits';
  readonly device: number;
  readonly requiredBytes: number;
  readonly availableBytes: number;
}
