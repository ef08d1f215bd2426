import type { LiveRunOptions, StartLiveRun } from '../exec/live/live-run.ts';
import type { ServerSetup } from './submission.ts';

export interface ServerLimits {
  readonly mostBodyBytes: number;
  /** Largest file that a job may name. */
  readonly mostFileBytes: number;
  /** From one address. */
  readonly requestsPerSecond: number;
  readonly submissionsPerSecond: number;
  /** Jobs that have not ended. */
  readonly mostJobs: number;
  readonly mostStreams: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  mostBodyBytes: 32 * 2 ** 20,
  mostFileBytes: 2 * 2 ** 30,
  requestsPerSecond: 500,
  submissionsPerSecond: 20,
  mostJobs: 10_000,
  mostStreams: 100,
};

export interface ServerOptions {
  readonly setup: ServerSetup;
  /** Text that two base models share only if they are the same. */
  readonly baseIdentity: string;
  /** What the run needs beside its folder and its listener. */
  readonly live: Omit<LiveRunOptions, 'folder' | 'onEvent' | 'beforeWriting'>;
  readonly startRun: StartLiveRun;
  /** Everything that has to outlive the server is below this folder. */
  readonly folder: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Instead of the one in the folder. */
  readonly token?: string;
  readonly dataFolder: string | null;
  readonly policyName: string;
  readonly version: string;
  /** Folder of the built dashboard; null: none. */
  readonly dashboard: string | null;
  readonly limits: ServerLimits;
  /** Lines for whoever runs the server. */
  readonly onNote: (text: string) => void;
}
