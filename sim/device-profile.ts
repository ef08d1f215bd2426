import type { Precision } from '../core/cluster/cluster.ts';
import type { WorkSetting } from '../core/work/setting.ts';
import type { ElementwiseTable, GemmTable, TableOrigin } from './kernel-tables.ts';
import type { WorkFeature } from './work-features.ts';

/** A number of a device profile and how far it can be trusted. */
export interface Figure {
  readonly value: number;
  readonly origin: TableOrigin;
  /** What was measured, which rows it was fitted on, or why it was guessed. */
  readonly source: string;
}

export const guess = (value: number, source: string): Figure => ({ value, origin: 'guess', source });
export const measured = (value: number, source: string): Figure => ({ value, origin: 'measured', source });
export const fitted = (value: number, source: string): Figure => ({ value, origin: 'fitted', source });

/** How long a device takes for its work. */
export type DeviceProfile = RooflineProfile | CalibratedProfile;

/** A processor that runs kernels inside the launching call: times add up. Fitted to measured ops by `mlora calibrate`. */
export interface CalibratedProfile {
  readonly kind: 'calibrated';
  readonly name: string;
  /** Nanoseconds per unit of each feature of an op's work. */
  readonly nsPer: Readonly<Record<WorkFeature, Figure>>;
  /** Between an op and the next one of a device that has its input: events and messages of the program around them. */
  readonly perPassNs: Figure;
  readonly contextBytes: Figure;
  /** Transfers between devices of one machine; null where none was measured, and the cluster's own figures hold. */
  readonly link: { readonly latencyNs: Figure; readonly nsPerByte: Figure } | null;
}

/**
 * How a device falls short of its data sheet: measured kernels where there are tables, else constant shares of the
 * sheet's peak, between 0 and 1.
 */
export interface RooflineProfile {
  readonly kind: 'roofline';
  readonly name: string;
  /** Whose kernels are counted. */
  readonly elementwise: WorkSetting['elementwise'];
  /** Of products with a frozen weight, where no table covers them. */
  readonly gemmEfficiency: Readonly<Record<Precision, Figure>>;
  /** Of int8 products, whose peak is twice that of bf16. */
  readonly int8Efficiency: Figure;
  /** Of an adapter's products, whichever of arithmetic and memory bandwidth bounds them. */
  readonly adapterEfficiency: Figure;
  /** Of the products inside attention that keeps its scores. */
  readonly attentionEfficiency: Readonly<Record<Precision, Figure>>;
  /** Of a fused attention kernel. */
  readonly flashEfficiency: Readonly<Record<Precision, Figure>>;
  /** Of the memory bandwidth, where no table covers a memory-bound kernel. */
  readonly memoryEfficiency: Figure;
  /** Time no kernel stays under, however small. */
  readonly minimumKernelNs: Figure;
  /** Between the end of a kernel and the start of the next one, though it was launched long before. */
  readonly kernelGapNs: Figure;
  /** `asynchronous`: the host launches ahead of the device; `synchronous`: every launch delays the device. */
  readonly launch: { readonly kind: 'asynchronous' | 'synchronous'; readonly perKernelNs: Figure };
  /** Of every forward or backward, in which no kernel runs: queues and messages of the program around it. */
  readonly perPassNs: Figure;
  /** Memory of the runtime itself. */
  readonly contextBytes: Figure;
  /** Measured 16-bit products; absent: none. */
  readonly gemmTable?: GemmTable;
  /** Measured memory-bound kernels; absent: none. */
  readonly elementwiseTable?: ElementwiseTable;
}

/** Whose kernels a profile times: ours, where it was fitted to our own runs. */
export const kernelsOf = (profile: DeviceProfile): WorkSetting['elementwise'] =>
  profile.kind === 'calibrated' ? 'tfjs' : profile.elementwise;
