/**
 * Jobs of a server as JSON: what passes between server, command line and dashboard. Times are ISO 8601 texts.
 */
import type { JobStatus, Outcome } from './scheduler/job.ts';

export type ServedJobState = JobStatus | Outcome;

/** Files of an adapter, as PEFT loads it. */
export const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;

export interface ServedJob {
  /** Its number and its name: what every path and command calls it; the number alone will do, too. */
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly user: string;
  readonly priority: number;
  readonly state: ServedJobState;
  /** Iterations made, and those of the whole job; null until its data has been read. */
  readonly iteration: number;
  readonly iterations: number | null;
  /** Latest mean losses in nats per token; null where none was measured. */
  readonly loss: number | null;
  readonly heldoutLoss: number | null;
  readonly submittedAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Whether it has been told to end early. */
  readonly cancelled: boolean;
  /** Why it failed; null while it has not. */
  readonly error: string | null;
  /** Files of the trained adapter; empty while there is none. */
  readonly adapter: readonly string[];
}

export const SERVED_EVENT_KINDS = [
  'submitted',
  'admitted',
  'resumed',
  'preempted',
  'setBack',
  'priorityChanged',
  'cancelled',
  'iteration',
  'evaluated',
  'finished',
] as const;
export type ServedEventKind = (typeof SERVED_EVENT_KINDS)[number];

/** Something that happened to a job. Each is told and kept once, whatever was killed in between. */
export interface ServedEvent {
  /** Grows from event to event over all jobs. */
  readonly sequence: number;
  readonly at: string;
  readonly job: string;
  readonly kind: ServedEventKind;
  /** Iterations made by then; null where it has no meaning. */
  readonly iteration: number | null;
  /** Of `iteration` and `evaluated`. */
  readonly loss: number | null;
  /** Outcome of `finished`, priority of `priorityChanged`. */
  readonly detail: string | null;
}

/** Loss curves, thinned to what a chart can show. */
export interface ServedLosses {
  readonly training: readonly (readonly [iteration: number, loss: number])[];
  readonly heldout: readonly (readonly [iteration: number, loss: number])[];
}

export interface ServerStatus {
  readonly version: string;
  readonly name: string;
  readonly model: string;
  readonly devices: readonly string[];
  readonly policy: string;
  readonly slots: number;
  readonly startedAt: string;
  /** Whether the ranks are up with the base model. */
  readonly ready: boolean;
  readonly jobs: Readonly<Partial<Record<ServedJobState, number>>>;
  /** Sequence number of the latest event. */
  readonly lastEvent: number;
}

/** How every error answers: everything wrong with a request at once. */
export interface ServedProblems {
  readonly error: string;
  /** Where in the body, and what was found and expected there; empty where the body is not what is wrong. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

const ENDS: ReadonlySet<string> = new Set<Outcome>(['completed', 'stopped', 'cancelled', 'failed', 'neverFits']);

export const hasEnded = (state: ServedJobState): boolean => ENDS.has(state);
