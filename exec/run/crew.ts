import type { FromRank, ToRank } from '../rank/messages.ts';

/** A message with the rank it comes from. */
export interface Report {
  readonly rank: number;
  readonly message: FromRank;
}

/** The ranks of a run as the coordinator sees them, wherever they live. */
export interface Crew {
  readonly size: number;
  readonly send: (rank: number, message: ToRank) => void;
  /** The next message of any rank. Rejects with an ExecFailure when a rank is lost or the crew has been failed. */
  readonly next: () => Promise<Report>;
  /** Ends the run from outside, e.g. by an interruption: `next` rejects with the error. */
  readonly fail: (error: Error) => void;
  /** Stops all ranks, waits until they are gone and removes everything they used to communicate. */
  readonly dismiss: () => Promise<void>;
}
