import type { Halving } from './halving.ts';
import type { JobSize } from './memory-law.ts';
import type { MemoryQuestion } from './memory-model.ts';
import type { Patience } from './patience.ts';

/** What the scheduler has to know of a job; plain data. */
export interface JobSpec {
  /** Unique among the jobs that are not finished. */
  readonly id: string;
  readonly user: string;
  /** Larger runs first. */
  readonly priority: number;
  /** Optimizer steps of the whole job. */
  readonly iterations: number;
  /** Predicted time of one iteration at a pipeline's slowest device: the unit in which work is counted. */
  readonly iterationNs: number;
  /** Jobs of one kind (same modules, rank and optimizer) follow one memory law. */
  readonly memoryKind: string;
  /** Mini-batch, by which its memory is predicted. */
  readonly size: JobSize;
  /** The ledger's prediction of what it holds on each device of a pipeline, before anything was measured. */
  readonly ledgerBytes: readonly number[];
  /** The part of it that lives only while a pass runs; absent: none. */
  readonly passBytes?: readonly number[];
  /** Stops it when its held-out loss no longer falls; absent: it runs to its end. */
  readonly patience?: Patience;
  /** Sweep it is a trial of; absent: none. */
  readonly sweep?: Halving;
}

/** Where an earlier run has left a job. */
export interface JobStart {
  /** Of its checkpoint. */
  readonly iteration: number;
  /** Held-out losses up to there, in order. */
  readonly evaluations: readonly HeldoutLoss[];
}

/** Held-out loss of the weights after `iteration` iterations. */
export interface HeldoutLoss {
  readonly iteration: number;
  readonly loss: number;
}

/**
 * `waiting` for a place; `running`; `leaving` at its next iteration end, its memory still held; `paused` by its sweep,
 * which may let it go on.
 */
export type JobStatus = 'waiting' | 'running' | 'leaving' | 'paused';

/** Why a job ended; `neverFits`: measurements or a smaller pipeline say so of a job that had been accepted. */
export type Outcome = 'completed' | 'stopped' | 'cancelled' | 'failed' | 'neverFits';

/** What happens to a job that leaves its pipeline: it waits again, its sweep holds it, or it ends. */
export type AfterLeaving = 'waiting' | 'paused' | 'stopped' | 'cancelled';

/** A job that is not finished. */
export interface JobState {
  readonly spec: JobSpec;
  /** Order of submission. */
  readonly sequence: number;
  readonly submittedNs: number;
  priority: number;
  status: JobStatus;
  /** Where it runs or leaves from; -1: nowhere. */
  pipeline: number;
  /** Bytes it may hold there, by device; empty where it does not run. */
  reservedBytes: readonly number[];
  /** While it leaves: what then. */
  afterLeaving: AfterLeaving;
  /** It was let past jobs that rank before it and did not fit; they may take its place back. */
  passedOthers: boolean;
  /** Iterations finished, and those that would not be lost with a device. */
  iteration: number;
  checkpoint: number;
  /** Best held-out loss so far, and evaluations since then. */
  bestLoss: number | null;
  evaluationsSinceBest: number;
  /** Iterations at its last evaluation: one that is made again after a lost device counts once. */
  evaluated: number;
}

export const startJob = (spec: JobSpec, sequence: number, submittedNs: number): JobState => ({
  spec,
  sequence,
  submittedNs,
  priority: spec.priority,
  status: 'waiting',
  pipeline: -1,
  reservedBytes: [],
  afterLeaving: 'waiting',
  passedOthers: false,
  iteration: 0,
  checkpoint: 0,
  bestLoss: null,
  evaluationsSinceBest: 0,
  evaluated: -1,
});

/** Work that is left, in nanoseconds at the slowest device. */
export const remainingNs = ({ spec, iteration }: JobState): number => (spec.iterations - iteration) * spec.iterationNs;

/** What the memory model is asked about a job. */
export const questionOf = ({ memoryKind, size, ledgerBytes, passBytes }: JobSpec): MemoryQuestion => ({
  kind: memoryKind,
  sizes: ledgerBytes.map(() => size),
  ledgerBytes,
  ...(passBytes === undefined ? {} : { passBytes }),
});

/** Whether a job of a sweep may still be judged without anybody letting it. */
export const isActive = ({ spec, status, afterLeaving }: JobState): boolean =>
  spec.sweep !== undefined && status !== 'paused' && (status !== 'leaving' || afterLeaving === 'waiting');

/** Whether a trial is paused, or about to be. */
export const isHeld = (job: JobState | undefined): boolean => job?.status === 'paused' || (job?.status === 'leaving' && job.afterLeaving === 'paused');
