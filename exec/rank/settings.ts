/** What a rank process is told when it starts; everything else comes over the control channel. */
export interface RankSettings {
  readonly rank: number;
  /** ZeroMQ address of the coordinator. */
  readonly control: string;
  /** ZeroMQ address at which the rank takes tensors in. */
  readonly inbox: string;
  /** Folder of the run's sockets, removed by whoever leaves last. */
  readonly runFolder: string;
}
