import type { Gpu, Precision } from '../core/cluster/cluster.ts';
import type { ComputeCost } from '../core/cost-model.ts';
import { NS_PER_S } from '../core/units.ts';
import { kernelBytes, kernelFlops, type Kernel } from '../core/work/kernel.ts';
import type { RooflineProfile } from './device-profile.ts';

/** A device at one precision, per nanosecond. */
export interface Roofline {
  readonly gemmFlops: number;
  readonly attentionFlops: number;
  readonly memoryBytes: number;
  readonly minimumKernelNs: number;
  readonly launchNs: number;
  readonly runsAhead: boolean;
}

export const createRoofline = (profile: RooflineProfile, gpu: Gpu, precision: Precision): Roofline => {
  const peak = gpu.flopsPerSecond[precision] / NS_PER_S;
  return {
    gemmFlops: peak * profile.gemmEfficiency[precision].value,
    attentionFlops: peak * profile.attentionEfficiency[precision].value,
    memoryBytes: (gpu.memoryBytesPerSecond / NS_PER_S) * profile.memoryEfficiency.value,
    minimumKernelNs: profile.minimumKernelNs.value,
    launchNs: profile.launch.perKernelNs.value,
    runsAhead: profile.launch.kind === 'asynchronous',
  };
};

/** Three times per kernel, flat: arithmetic, memory traffic and launches, each affine in the shape. */
export const kernelTimes = (roofline: Roofline, kernels: readonly Kernel[]): number[] =>
  kernels.flatMap((kernel) => [
    kernelFlops(kernel) / (kernel.kind === 'attention' ? roofline.attentionFlops : roofline.gemmFlops),
    kernelBytes(kernel) / roofline.memoryBytes,
    kernel.count,
  ]);

/** Roofline (Williams et al. 2009): a kernel takes as long as arithmetic or memory traffic needs, whichever is longer. */
export const rooflineCost = (roofline: Roofline, times: ArrayLike<number>): ComputeCost => {
  let busyNs = 0;
  let count = 0;
  for (let kernel = 0; kernel < times.length; kernel += 3) {
    const launches = times[kernel + 2]!;
    busyNs += Math.max(times[kernel]!, times[kernel + 1]!, launches * roofline.minimumKernelNs);
    count += launches;
  }
  const launchNs = count * roofline.launchNs;
  return roofline.runsAhead
    ? { deviceNs: busyNs, launchNs, firstLaunchNs: Math.min(launchNs, roofline.launchNs) }
    : { deviceNs: busyNs + launchNs, launchNs: 0 };
};
