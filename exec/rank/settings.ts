/** What a rank process is told when it starts; everything else comes over the control channel. Its run's key is in its environment. */
export interface RankSettings {
  readonly rank: number;
  /** ZeroMQ address of the coordinator. */
  readonly control: string;
  /** ZeroMQ address at which the rank takes tensors in. */
  readonly inbox: string;
  /** Machine at which other ranks reach this one; `COORDINATOR_HOST`: where the coordinator is. null: `inbox` says it all. */
  readonly host: string | null;
  /** Folder of the run's sockets, removed by whoever leaves last; null: there is none. */
  readonly runFolder: string | null;
  /** A line that says nothing for so long is lost. */
  readonly silenceSeconds: number;
  /** How long the coordinator may take to answer. */
  readonly joinSeconds: number;
}

/** Stands in an endpoint for the machine at which each rank has reached the coordinator. */
export const COORDINATOR_HOST = 'coordinator';
