import type { Bytes, Nanoseconds } from '../units.ts';

export type Precision = 'fp32' | 'tf32' | 'bf16' | 'fp16';

/** A processor as its data sheet describes it. Rates are peak dense rates in FLOP/s and bytes/s. */
export interface Gpu {
  readonly name: string;
  readonly flopsPerSecond: Readonly<Record<Precision, number>>;
  readonly memoryBytes: Bytes;
  readonly memoryBytesPerSecond: number;
  /** Where the figures come from. */
  readonly source: string;
}

/** One execution unit of the cluster: a GPU of a machine, or a CPU process. */
export interface Device {
  readonly name: string;
  readonly gpu: Gpu;
  readonly machine: number;
}

/** Links that GPU collectives know (NCCL). */
export type LinkTechnology = 'pcie' | 'nvlink' | 'network';

/** A shared, directed resource: concurrent transfers divide its bandwidth max-min fairly. */
export interface Link {
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly latencyNs: Nanoseconds;
  /** Absent: a link of another kind. */
  readonly technology?: LinkTechnology;
}

/** Devices, links, and for every ordered pair of devices the links a transfer between them occupies. */
export interface Cluster {
  readonly name: string;
  readonly devices: readonly Device[];
  readonly links: readonly Link[];
  /** `routes[from][to]`: indices into `links`; empty from a device to itself. */
  readonly routes: readonly (readonly (readonly number[])[])[];
}
