import type { Gpu, Precision } from '../core/cluster/cluster.ts';
import type { ComputeCost } from '../core/cost-model.ts';
import { NS_PER_S } from '../core/units.ts';
import type { ElementwiseForm, Kernel } from '../core/work/kernel.ts';
import type { WorkSetting } from '../core/work/setting.ts';
import type { RooflineProfile } from './device-profile.ts';
import { gemmRows, interpolate, type WeightRow } from './kernel-tables.ts';

/** A device at one precision, per nanosecond. */
export interface Roofline {
  readonly flops: number;
  readonly int8Flops: number;
  readonly attentionFlops: number;
  readonly memoryBytes: number;
  readonly profile: RooflineProfile;
  readonly gemmEfficiency: number;
  /** Share of the roofline that measured products of a weight reach; null where none were measured at this precision. */
  readonly weightRow: ((n: number, k: number) => WeightRow) | null;
}

export const createRoofline = (
  profile: RooflineProfile,
  gpu: Gpu,
  { precision, attention }: { readonly precision: Precision; readonly attention: WorkSetting['attention'] },
): Roofline => {
  const perNs = (rate: number): number => rate / NS_PER_S;
  const shares = attention === 'flash' ? profile.flashEfficiency : profile.attentionEfficiency;
  return {
    flops: perNs(gpu.flopsPerSecond[precision]),
    int8Flops: perNs(2 * gpu.flopsPerSecond.bf16) * profile.int8Efficiency.value,
    attentionFlops: perNs(gpu.flopsPerSecond[precision]) * shares[precision].value,
    memoryBytes: perNs(gpu.memoryBytesPerSecond),
    profile,
    gemmEfficiency: profile.gemmEfficiency[precision].value,
    weightRow: profile.gemmTable !== undefined && is16Bit(precision) ? gemmRows(profile.gemmTable) : null,
  };
};

const is16Bit = (precision: Precision): boolean => precision === 'bf16' || precision === 'fp16';

/** Codes of the kinds of kernel that are priced differently. */
const CODE = { frozen: 0, adapter: 1, int8: 2, attention: 3, plain: 4, norm: 5, activation: 6, rope: 7 } as const;
const FORMS: Readonly<Record<number, ElementwiseForm>> = { 4: 'plain', 5: 'norm', 6: 'activation', 7: 'rope' };
/** Code, m or FLOPs, n, k, bytes, launches. */
const WIDTH = 6;

/** Numbers of every kernel, flat, each affine in the shape: what prices them is a function of these alone. */
export const kernelMeasures = (kernels: readonly Kernel[]): number[] => {
  const measures: number[] = [];
  for (const kernel of kernels) {
    switch (kernel.kind) {
      case 'gemm':
        measures.push(kernel.arithmetic === 'int8' ? CODE.int8 : CODE[kernel.weight], kernel.m, kernel.n, kernel.k, kernel.bytes, kernel.count);
        break;
      case 'attention':
        measures.push(CODE.attention, kernel.flops, 0, 0, kernel.bytes, kernel.count);
        break;
      case 'elementwise':
        measures.push(CODE[kernel.form], 0, 0, 0, kernel.bytes, kernel.count);
        break;
      case 'random':
        measures.push(CODE.plain, 0, 0, 0, 0, kernel.count);
        break;
    }
  }
  return measures;
};

/** Time of the kernels one after the other on the device, beside their launches on the host. */
export const rooflineCost = (roofline: Roofline, measures: ArrayLike<number>): ComputeCost => {
  const { launch } = roofline.profile;
  let busyNs = 0;
  let count = 0;
  for (let at = 0; at < measures.length; at += WIDTH) {
    busyNs += kernelNs(roofline, measures, at);
    count += measures[at + 5]!;
  }
  busyNs += count * roofline.profile.kernelGapNs.value;
  const launchNs = count * launch.perKernelNs.value;
  return launch.kind === 'asynchronous'
    ? { deviceNs: busyNs, launchNs, firstLaunchNs: Math.min(launchNs, launch.perKernelNs.value) }
    : { deviceNs: busyNs + launchNs, launchNs: 0 };
};

/** All launches of the kernel whose numbers start at `at`. */
const kernelNs = (roofline: Roofline, measures: ArrayLike<number>, at: number): number => {
  const code = measures[at]!;
  const count = measures[at + 5]!;
  const bytes = measures[at + 4]!;
  if (count === 0) return 0;
  const least = count * roofline.profile.minimumKernelNs.value;
  if (code === CODE.attention) {
    const memoryNs = bytes / (roofline.memoryBytes * roofline.profile.memoryEfficiency.value);
    return Math.max(least, memoryNs, measures[at + 1]! / roofline.attentionFlops);
  }
  if (code >= CODE.plain) return Math.max(least, elementwiseNs(roofline, FORMS[code]!, bytes / count) * count);
  const size = { m: measures[at + 1]!, n: measures[at + 2]!, k: measures[at + 3]!, bytes };
  return Math.max(least, count * gemmNs(roofline, code, size));
};

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly bytes: number;
}

/** Roofline (Williams et al. 2009) times what measured products reach of it, or times the profile's constant share. */
const gemmNs = (roofline: Roofline, code: number, { m, n, k, bytes }: Product): number => {
  const { profile, flops, memoryBytes } = roofline;
  const operations = 2 * m * n * k;
  const memoryNs = bytes / (memoryBytes * profile.memoryEfficiency.value);
  if (code === CODE.int8) return Math.max(operations / roofline.int8Flops, memoryNs);
  if (code === CODE.adapter) return Math.max(operations / flops, bytes / memoryBytes) / profile.adapterEfficiency.value;
  const row = roofline.weightRow?.(n, k);
  if (row === undefined || row.coverage === 'none') return Math.max(operations / (flops * roofline.gemmEfficiency), memoryNs);
  return Math.max(operations / flops, bytes / memoryBytes) / interpolate(profile.gemmTable!.tokens, row.shares, m);
};

/** One launch that moves `bytes`. */
const elementwiseNs = ({ profile, memoryBytes }: Roofline, form: ElementwiseForm, bytes: number): number => {
  const table = profile.elementwiseTable;
  if (table === undefined) return bytes / (memoryBytes * profile.memoryEfficiency.value);
  // Below the smallest measured size a launch takes as long as that one.
  const moved = Math.max(bytes, table.bytes[0]!);
  return bytes === 0 ? 0 : moved / (memoryBytes * interpolate(table.bytes, table.shares[form], moved));
};
