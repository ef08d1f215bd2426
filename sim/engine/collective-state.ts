import type { Cluster } from '../../core/cluster/cluster.ts';
import { groupOfDevices, type RankGroup } from '../../core/cluster/collective-algorithm.ts';
import { communicatorsOf, type Communicators } from '../../core/plan/collectives.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';

/** Where the collectives of a run stand (collective.ts). */
export interface CollectiveState {
  readonly communicators: Communicators;
  /** By communicator. */
  readonly groups: readonly RankGroup[];
  /** By device: its collective stream waits for the others. */
  readonly isPosted: Uint8Array;
  /** By communicator: flows of the running collective that have not ended. */
  readonly flowsLeft: Uint32Array;
  /** By communicator: latency of the running collective, after its last flow. */
  readonly latencyNs: Float64Array;
}

export const createCollectiveState = (stages: readonly StagePlacement[], cluster: Cluster, deviceCount: number): CollectiveState => {
  const communicators = communicatorsOf(stages);
  return {
    communicators,
    groups: communicators.members.map((devices) => groupOfDevices(cluster, devices)),
    isPosted: new Uint8Array(deviceCount),
    flowsLeft: new Uint32Array(communicators.members.length),
    latencyNs: new Float64Array(communicators.members.length),
  };
};
