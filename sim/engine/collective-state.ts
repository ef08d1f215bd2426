import { communicatorsOf, type Communicators } from '../../core/plan/collectives.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';

/** Where the collectives of a run stand (collective.ts). */
export interface CollectiveState {
  readonly communicators: Communicators;
  /** By device: its collective stream waits for the others. */
  readonly isPosted: Uint8Array;
  /** By communicator: flows of the running collective that have not ended. */
  readonly flowsLeft: Uint32Array;
  /** By communicator: latency of the running collective, after its last flow. */
  readonly latencyNs: Float64Array;
}

export const createCollectiveState = (stages: readonly StagePlacement[], deviceCount: number): CollectiveState => {
  const communicators = communicatorsOf(stages);
  return {
    communicators,
    isPosted: new Uint8Array(deviceCount),
    flowsLeft: new Uint32Array(communicators.members.length),
    latencyNs: new Float64Array(communicators.members.length),
  };
};
