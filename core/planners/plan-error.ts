import type { MemoryClass } from '../cost-model.ts';
import { formatBytes } from '../units.ts';

/** Why there is no plan. "Does not fit" is an answer, with the bytes. */
export interface PlanError {
  readonly kind: 'doesNotFit';
  readonly device: string;
  /** Class that needs the most of what is missing. */
  readonly memoryClass: MemoryClass;
  readonly requiredBytes: number;
  readonly capacityBytes: number;
}

export const formatPlanError = (error: PlanError): string =>
  `does not fit: ${error.device} needs ${formatBytes(error.requiredBytes)} and has ${formatBytes(error.capacityBytes)}; ` +
  `the largest part is ${error.memoryClass}`;
