import { cpus } from 'node:os';
import type { DeviceInfo } from './device.ts';

/** This machine's processor, as a backend that computes on it with that many threads describes it. */
export const hostDevice = (threads: number, details: DeviceInfo['details'] = {}): DeviceInfo => ({
  kind: 'cpu',
  name: cpus()[0]?.model.trim() ?? 'CPU',
  id: null,
  memoryBytes: null,
  freeBytes: null,
  maximumTensorBytes: null,
  details: { ...details, threads },
});
