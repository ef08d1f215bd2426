import type { ExecError } from '../exec-error.ts';
import type { AdapterState } from '../stage.ts';

/** A job's training has come to values that are no numbers. */
export type Divergence = Extract<ExecError, { kind: 'notANumber' }>;

/** Mean held-out loss of an adapter that has made `iteration` iterations, measured while it trained. */
export interface Evaluation {
  readonly iteration: number;
  readonly loss: number;
}

/** How far a job has come: what a checkpoint holds of it beside its identity. */
export interface JobProgress {
  /** State after the iterations that count as done; null: none. */
  readonly state: AdapterState | null;
  /** Mean training loss of each of those iterations. */
  readonly losses: readonly number[];
  /** Measured during those iterations, in order. */
  readonly evaluations: readonly Evaluation[];
  /** Mean held-out loss before training, where it was measured. */
  readonly heldoutBefore: number | null;
}

export const NO_PROGRESS: JobProgress = { state: null, losses: [], evaluations: [], heldoutBefore: null };

/** A job in the course of a run. */
export interface JobRecord {
  progress: JobProgress;
  /** Losses as they come in, also of iterations after the last state. */
  losses: number[];
  /** As they come in, in order. */
  evaluations: readonly Evaluation[];
  heldoutAfter: number | null;
  /** Set when the job has ended without its adapter. */
  failure: Divergence | null;
}

export const createRecords = (progress: readonly JobProgress[]): readonly JobRecord[] =>
  progress.map((each) => ({ progress: each, losses: [...each.losses], evaluations: each.evaluations, heldoutAfter: null, failure: null }));

/** Evaluations with one more, or with a new loss in place of the one that an earlier leg had measured there. */
export const withEvaluation = (evaluations: readonly Evaluation[], added: Evaluation): readonly Evaluation[] =>
  [...evaluations.filter(({ iteration }) => iteration !== added.iteration), added].sort((a, b) => a.iteration - b.iteration);

export const iterationsDone = ({ state }: JobProgress): number => state?.iteration ?? 0;

/** Where the next plan starts each job: a failed one takes no further part. `iterations`: of the whole jobs. */
export const nextIterations = (records: readonly JobRecord[], iterations: readonly number[]): readonly number[] =>
  records.map(({ progress, failure }, job) => (failure === null ? iterationsDone(progress) : iterations[job]!));

/** Whether every value is a number. */
export const isFiniteState = ({ tensors }: AdapterState): boolean =>
  tensors.every(({ values }) => values.every(Number.isFinite));
