import type { DeviceInfo, DeviceRequest } from './device.ts';

/** How to bring one TensorFlow.js backend up; one file per backend exports one. */
export interface Candidate {
  /** Loads and registers the backend; rejects with the reason when this machine cannot have it. */
  readonly prepare: (request: DeviceRequest) => Promise<DeviceInfo>;
  /** Why `auto` leaves it out although it works; null: it does not. Asked once it is prepared. */
  readonly unwanted?: (device: DeviceInfo) => string | null;
  /** Memory it has claimed from the system, while it is the current backend. */
  readonly reservedBytes: () => number;
  /** Frees what TensorFlow.js does not free when the backend is removed. */
  readonly dispose?: () => void;
}
