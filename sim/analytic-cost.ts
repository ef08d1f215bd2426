import type { Cluster, Gpu, Precision } from '../core/cluster/cluster.ts';
import type { ComputeCost, CostModel } from '../core/cost-model.ts';
import type { Adapter } from '../core/job.ts';
import type { Model } from '../core/model/model.ts';
import type { StagePlacement } from '../core/plan/plan.ts';
import { NS_PER_S } from '../core/units.ts';
import { countLaunches, kernelBytes, kernelFlops, type Kernel } from '../core/work/kernel.ts';
import { adapterStateBytes, baseWeightBytes, savedBytes, temporaryBytes, transferBytes } from '../core/work/memory.ts';
import { elementBytesOf, stageContents, type WorkSetting } from '../core/work/setting.ts';
import { backwardWork, forwardWork, stepWork } from '../core/work/stage.ts';
import { profileOf as defaultProfileOf, type DeviceProfile } from './device-profile.ts';

export interface AnalyticCostOptions {
  readonly model: Model;
  /** In plan order. */
  readonly adapters: readonly Adapter[];
  readonly precision: Precision;
  readonly stages: readonly StagePlacement[];
  readonly cluster: Cluster;
  /** Default `scores`, as the paper's code. */
  readonly attention?: WorkSetting['attention'];
  /** Default `eager`, as the paper's code. */
  readonly elementwise?: WorkSetting['elementwise'];
  readonly profileOf?: (gpu: Gpu) => DeviceProfile;
}

/** Cost model that divides an op's work by what its device does per second: a roofline per kernel, launches beside it. */
export const analyticCost = (options: AnalyticCostOptions): CostModel => {
  const setting = settingOf(options);
  const contents = stageContents(options.stages);
  const processors = options.stages.map(({ device }) => processorOf(options, device));
  const cost = (stage: number, kernels: readonly Kernel[]): ComputeCost => timeKernels(processors[stage]!, kernels);
  return {
    forward: (stage, shape) => cost(stage, forwardWork(setting, contents[stage]!, shape)),
    backward: (stage, shape) => cost(stage, backwardWork(setting, contents[stage]!, shape)),
    step: (stage, adapter) => cost(stage, stepWork(setting, contents[stage]!, adapter)),
    transferBytes: (shape) => transferBytes(setting, shape),
    activationBytes: (stage, shape) => savedBytes(setting, contents[stage]!, shape),
    transientBytes: (stage, shape) => temporaryBytes(setting, contents[stage]!, shape),
    residentBytes: (stage) => ({
      baseWeights: baseWeightBytes(setting, contents[stage]!),
      context: processors[stage]!.contextBytes,
    }),
    adapterBytes: (stage, adapter) => adapterStateBytes(setting, contents[stage]!, adapter),
  };
};

const settingOf = (options: AnalyticCostOptions): WorkSetting => ({
  model: options.model,
  adapters: options.adapters,
  elementBytes: elementBytesOf(options.precision),
  attention: options.attention ?? 'scores',
  elementwise: options.elementwise ?? 'eager',
});

/** A device at one precision, per nanosecond. */
interface Processor {
  readonly gemmFlops: number;
  readonly attentionFlops: number;
  readonly memoryBytes: number;
  readonly minimumKernelNs: number;
  readonly launchNs: number;
  readonly runsAhead: boolean;
  readonly contextBytes: number;
}

const processorOf = (options: AnalyticCostOptions, device: number): Processor => {
  const { precision, cluster } = options;
  const { gpu } = cluster.devices[device]!;
  const profile = (options.profileOf ?? defaultProfileOf)(gpu);
  const peak = gpu.flopsPerSecond[precision] / NS_PER_S;
  return {
    gemmFlops: peak * profile.gemmEfficiency[precision].value,
    attentionFlops: peak * profile.attentionEfficiency[precision].value,
    memoryBytes: (gpu.memoryBytesPerSecond / NS_PER_S) * profile.memoryEfficiency.value,
    minimumKernelNs: profile.minimumKernelNs.value,
    launchNs: profile.launch.perKernelNs.value,
    runsAhead: profile.launch.kind === 'asynchronous',
    contextBytes: profile.contextBytes.value,
  };
};

const timeKernels = (processor: Processor, kernels: readonly Kernel[]): ComputeCost => {
  const busyNs = kernels.reduce((sum, kernel) => sum + kernelNs(processor, kernel), 0);
  const launchNs = countLaunches(kernels) * processor.launchNs;
  return processor.runsAhead
    ? { deviceNs: busyNs, launchNs, firstLaunchNs: Math.min(launchNs, processor.launchNs) }
    : { deviceNs: busyNs + launchNs, launchNs: 0 };
};

/** Roofline (Williams et al. 2009): as long as arithmetic or memory traffic needs, whichever is longer. */
const kernelNs = (processor: Processor, kernel: Kernel): number => {
  const flops = kernel.kind === 'attention' ? processor.attentionFlops : processor.gemmFlops;
  const trafficNs = kernelBytes(kernel) / processor.memoryBytes;
  return Math.max(kernelFlops(kernel) / flops, trafficNs, kernel.count * processor.minimumKernelNs);
};
