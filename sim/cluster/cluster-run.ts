import type { JobSpec, Outcome } from '../../core/scheduler/job.ts';

/** A job that comes to the cluster at a time. */
export interface ArrivingJob {
  readonly timeNs: number;
  readonly job: JobSpec;
}

/** How a job fared. */
export interface JobRecord {
  readonly spec: JobSpec;
  readonly arrivalNs: number;
  /** When it was first admitted, and when it ended; null: never. */
  startNs: number | null;
  endNs: number | null;
  preemptions: number;
  /** Iterations made. */
  iterations: number;
  outcome: Outcome | 'refused' | null;
}

export interface ClusterResult {
  readonly jobs: readonly JobRecord[];
  /** End of the last job. */
  readonly endNs: number;
  /** Time that devices computed, all together. */
  readonly busyNs: number;
  readonly tokens: number;
  /** Events that the scheduler was told. */
  readonly events: number;
}

export const openRecords = (arrivals: readonly ArrivingJob[]): Map<string, JobRecord> =>
  new Map(arrivals.map(({ timeNs, job }) => [job.id, { spec: job, arrivalNs: timeNs, startNs: null, endNs: null, preemptions: 0, iterations: 0, outcome: null }]));
