import type { Nanoseconds } from '../units.ts';
import type { Gpu } from './cluster.ts';

export const INTERCONNECT_TYPES = ['pcie', 'nvlink', 'loopback'] as const;
/** How the devices of one machine reach each other; `loopback` is its own network stack, for CPU processes. */
export type InterconnectType = (typeof INTERCONNECT_TYPES)[number];

/** Bandwidth of one device in one direction, and latency of one transfer. */
export interface InterconnectDescription {
  readonly type: InterconnectType;
  readonly bytesPerSecond: number;
  readonly latencyNs: Nanoseconds;
  /**
   * PCIe without peer-to-peer: transfers go through host memory, which copies this many bytes a second for all devices
   * together; each transfer is copied into it and out of it. Absent: devices write to each other.
   */
  readonly hostBytesPerSecond?: number;
}

/** Bandwidth of one machine in one direction, and latency of one transfer. */
export interface NetworkDescription {
  readonly bytesPerSecond: number;
  readonly latencyNs: Nanoseconds;
}

/** `deviceCount` equal devices in one machine. */
export interface MachineDescription {
  readonly name: string;
  readonly gpu: Gpu;
  readonly deviceCount: number;
  /** null where there is one device only. */
  readonly interconnect: InterconnectDescription | null;
  /**
   * Which of the machine's accelerators each device runs on when it is trained for real, as the machine numbers them; one
   * may serve several. Absent: devices take them by turns.
   */
  readonly accelerators?: readonly number[];
}

/** What a person says about a cluster; `buildCluster` makes devices, links and routes of it. */
export interface ClusterDescription {
  readonly name: string;
  readonly machines: readonly MachineDescription[];
  /** null where there is one machine only. */
  readonly network: NetworkDescription | null;
}
