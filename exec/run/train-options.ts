import type { Model } from '../../core/model/model.ts';
import type { Plan } from '../../core/plan/plan.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceInfo, DeviceRequest } from '../backend/device.ts';
import type { NamedArray } from '../stage.ts';
import type { CheckpointSettings } from '../../core/experiment/experiment.ts';
import type { Muster } from './muster.ts';
import type { Divergence, Evaluation, JobProgress } from './job-records.ts';
import type { TrainJob } from './train-job.ts';

export type HeldoutMoment = 'before' | 'after';

/** What happens during a run, for progress bars; adapters are named. */
export type ProgressEvent =
  | {
      readonly kind: 'started';
      readonly backend: BackendName;
      /** By rank. */
      readonly devices: readonly DeviceInfo[];
      /** Why `auto` did not take the backends before this one. */
      readonly rejected: readonly string[];
      readonly processIds: readonly number[];
    }
  | { readonly kind: 'iteration'; readonly adapter: string; readonly iteration: number; readonly loss: number }
  | { readonly kind: 'heldout'; readonly adapter: string; readonly moment: HeldoutMoment; readonly loss: number }
  /** Held-out loss during training, of an adapter that has made `iteration` iterations. */
  | { readonly kind: 'evaluated'; readonly adapter: string; readonly iteration: number; readonly loss: number }
  /** The job ends here; the others go on. */
  | { readonly kind: 'failed'; readonly adapter: string; readonly iteration: number; readonly loss: number }
  | { readonly kind: 'saved'; readonly adapter: string; readonly folder: string };

export interface TrainOptions {
  /** Plan with transfers; its adapters are the jobs, in the same order. */
  readonly plan: Plan;
  /** The plan of what is left when each job goes on from the given iteration, on the same stages. */
  readonly planFrom: (firstIterations: readonly number[]) => Plan;
  /** Where `plan` starts each job; absent: all are fresh. */
  readonly progress?: readonly JobProgress[];
  /** How often checkpoints are written below `outputFolder`; absent: never. */
  readonly checkpoints?: CheckpointSettings & { readonly fingerprints: readonly string[] };
  /** Forward-only plan over the held-out rows, run before and after training; null: no evaluation. */
  readonly evaluation: Plan | null;
  readonly jobs: readonly TrainJob[];
  readonly model: Model;
  readonly modelFolder: string;
  readonly backend: BackendName | 'auto';
  /** Adapters are written below this folder; null: they are only returned. */
  readonly outputFolder: string | null;
  /** One operating-system process per device of this machine, all devices as tasks of this process, or ranks that somebody else starts. */
  readonly ranks: 'processes' | 'tasks' | Muster;
  /** Memory of each device in bytes, for the trace. */
  readonly capacityBytes: readonly number[];
  /** Which accelerator each rank is to take; absent: by turns. */
  readonly devices?: readonly DeviceRequest[];
  /** Bytes that each rank will need at most, as far as the plan was simulated; absent: nobody checks. */
  readonly neededBytes?: readonly number[];
  readonly onProgress: (event: ProgressEvent) => void;
  /** Seconds without a word from a rank's process after which it counts as hung. */
  readonly patienceSeconds?: number;
  /** Script that a rank's process runs; the built `rank-main.js` beside this module unless given. */
  readonly rankEntry?: string;
}

/** What training did to one adapter. */
export interface AdapterResult {
  readonly name: string;
  /** Mean training loss of each iteration, in nats per target token. */
  readonly losses: readonly number[];
  /** Mean held-out loss before and after training; null for a job without held-out rows. */
  readonly heldout: Readonly<Record<HeldoutMoment, number>> | null;
  /** Held-out losses measured during training, in order of iterations. */
  readonly evaluations: readonly Evaluation[];
  /** Why the job ended without its adapter; null for a trained one. */
  readonly failure: Divergence | null;
  /** Trained weights under PEFT's names. */
  readonly weights: readonly NamedArray[];
  /** PEFT folder; null when nothing was written. */
  readonly folder: string | null;
}

export interface TrainResult {
  /** Measured trace of training; evaluation is not in it. */
  readonly trace: Trace;
  readonly backend: BackendName;
  /** What each rank computed on. */
  readonly devices: readonly DeviceInfo[];
  readonly adapters: readonly AdapterResult[];
}
