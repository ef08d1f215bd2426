/** The processor that a backend computes on, as far as it tells. Plain data: it goes into the trace and into run.json. */
export interface DeviceInfo {
  readonly kind: 'gpu' | 'cpu';
  readonly name: string;
  /** Tells devices of equal name apart; null where the backend does not say which one it has. */
  readonly id: string | null;
  readonly memoryBytes: number | null;
  /** What other processes leave of it at the moment of opening. */
  readonly freeBytes: number | null;
  /** Largest tensor that fits into one buffer; null: no limit but memory. */
  readonly maximumTensorBytes: number | null;
  /** Versions and settings that matter when numbers are compared. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** Which accelerator of its machine a process is to take. */
export interface DeviceRequest {
  /** Place among the accelerators that the backend sees; null: no wish. */
  readonly accelerator: number | null;
  /** Place of the process among those on its machine: without a wish, processes take accelerators by turns. */
  readonly localRank: number;
}

export const NO_REQUEST: DeviceRequest = { accelerator: null, localRank: 0 };

/** Place of the accelerator that a process takes of those there are. Throws a sentence where there is no such one. */
export const chooseAccelerator = ({ accelerator, localRank }: DeviceRequest, names: readonly string[]): number => {
  if (accelerator === null) return localRank % Math.max(names.length, 1);
  if (accelerator < names.length) return accelerator;
  const there = names.length === 0 ? 'there is none' : `there are ${names.length}: ${names.join(', ')}`;
  throw new Error(`accelerator ${accelerator} was asked for, but ${there}`);
};
