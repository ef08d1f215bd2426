import type { Cluster, Gpu, Precision } from '../core/cluster/cluster.ts';
import type { ComputeCost, CostModel } from '../core/cost-model.ts';
import type { Adapter, Optimizer } from '../core/job.ts';
import type { Model } from '../core/model/model.ts';
import { shardOfModel } from '../core/model/shard.ts';
import type { MicrobatchShape, StagePlacement } from '../core/plan/plan.ts';
import { tabulateAffine } from '../core/work/affine-work.ts';
import type { Kernel } from '../core/work/kernel.ts';
import { gradientCollective, microbatchCollective, sharedWeightBytes } from '../core/work/collective.ts';
import type { BaseWeights } from '../core/work/frozen-linear.ts';
import {
  adapterRoundingBytes,
  adapterStateBytes,
  quantizationBytes,
  savedBytes,
  savedRoundingBytes,
  temporaryBytes,
  transferBytes,
} from '../core/work/memory.ts';
import { shapeAsPacked } from '../core/work/packed-shape.ts';
import { elementBytesOf, stageContents, type StageContent, type WorkSetting } from '../core/work/setting.ts';
import { shardsOf, WHOLE, type Sharing } from '../core/work/sharing.ts';
import { backwardWork, forwardWork, stepWork } from '../core/work/stage.ts';
import { kernelsOf, type DeviceProfile } from './device-profile.ts';
import { profileOf as defaultProfileOf } from './profiles/gpu-profiles.ts';
import { createRoofline, kernelMeasures, rooflineCost } from './roofline.ts';
import { featuresOf, WORK_FEATURES } from './work-features.ts';

export interface AnalyticCostOptions {
  readonly model: Model;
  /** In plan order. */
  readonly adapters: readonly Adapter[];
  /** Beside each adapter; default: all AdamW. */
  readonly optimizers?: readonly Optimizer[];
  readonly precision: Precision;
  /** Default `full`. */
  readonly baseWeights?: BaseWeights;
  readonly stages: readonly StagePlacement[];
  /** Default: every pipeline has weights of its own. */
  readonly sharing?: Sharing;
  readonly cluster: Cluster;
  /** Default `scores`, as the paper's code. */
  readonly attention?: WorkSetting['attention'];
  /** Default: the kernels that the device's profile is about. */
  readonly elementwise?: WorkSetting['elementwise'];
  readonly profileOf?: (gpu: Gpu) => DeviceProfile;
}

/** Cost model that predicts an op's time from its work and its device's profile. */
export const analyticCost = (options: AnalyticCostOptions): CostModel => {
  const contents = stageContents(options.stages);
  const stages = contents.map((content, stage) => stageCost(options, content, stage));
  const { sharing = WHOLE } = options;
  const shards = shardsOf(sharing);
  const held = (stage: number): number => sharedWeightBytes(stages[stage]!.setting, contents[stage]!, sharing) / shards;
  return {
    forward: (stage, shape) => stages[stage]!.forward(shape),
    backward: (stage, shape) => stages[stage]!.backward(shape),
    backwardInput: (stage, shape) => stages[stage]!.backwardInput(shape),
    backwardWeight: (stage, shape) => stages[stage]!.backwardWeight(shape),
    microbatchCollective: (kind, stage, shape) => microbatchCollective(stages[stage]!.setting, contents[stage]!, { sharing, kind, shape }),
    gradientCollective: (kind, stage, adapter) => gradientCollective(stages[stage]!.setting, contents[stage]!, { sharing, kind, adapter }),
    gatheredBytes: (stage) => (shards - 1) * held(stage),
    step: (stage, adapter) => stages[stage]!.step(adapter),
    transferBytes: (stage, shape) => transferBytes(stages[stage]!.setting, contents[stage]!, shape),
    activationBytes: (stage, shape) => savedBytes(stages[stage]!.setting, contents[stage]!, stages[stage]!.executed(shape)),
    transientBytes: (stage, shape) => temporaryBytes(stages[stage]!.setting, contents[stage]!, stages[stage]!.executed(shape)),
    residentBytes: (stage) => ({
      baseWeights: held(stage),
      context: stages[stage]!.contextBytes,
      quantization: quantizationBytes(stages[stage]!.setting, contents[stage]!),
    }),
    adapterBytes: (stage, adapter) => {
      const { adapters, gradients, optimizer } = adapterStateBytes(stages[stage]!.setting, contents[stage]!, adapter);
      return { adapters: adapters / shards, gradients: gradients / shards, optimizer: optimizer / shards };
    },
    rounding: {
      activationBytes: (stage, shape) => savedRoundingBytes(stages[stage]!.setting, contents[stage]!, stages[stage]!.executed(shape)),
      // Shards are cut from one flat tensor.
      adapterBytes: (stage, adapter) => (shards > 1 ? 0 : adapterRoundingBytes(stages[stage]!.setting, contents[stage]!, adapter)),
    },
  };
};

interface StageCost {
  readonly setting: WorkSetting;
  /** The shape as the kernels see it. */
  readonly executed: (shape: MicrobatchShape) => MicrobatchShape;
  readonly forward: (shape: MicrobatchShape) => ComputeCost;
  readonly backward: (shape: MicrobatchShape) => ComputeCost;
  readonly backwardInput: (shape: MicrobatchShape) => ComputeCost;
  readonly backwardWeight: (shape: MicrobatchShape) => ComputeCost;
  readonly step: (adapter: number) => ComputeCost;
  readonly contextBytes: number;
}

const stageCost = (options: AnalyticCostOptions, content: StageContent, stage: number): StageCost => {
  const { gpu } = options.cluster.devices[options.stages[stage]!.device]!;
  const profile = (options.profileOf ?? defaultProfileOf)(gpu);
  const setting = settingOf(options, profile);
  const executed = setting.elementwise === 'tfjs' ? shapeAsPacked : unchanged;
  const { measure, price } = timing(profile, gpu, { precision: options.precision, attention: setting.attention });
  const perPassNs = profile.kind === 'roofline' ? profile.perPassNs.value : 0;
  const tabulated = (work: typeof forwardWork): ((shape: MicrobatchShape) => ComputeCost) => {
    const table = tabulateAffine((shape) => measure(work(setting, content, shape)));
    return (shape) => {
      const cost = price(table(executed(shape)));
      return { ...cost, deviceNs: cost.deviceNs + perPassNs };
    };
  };
  return {
    setting,
    executed,
    forward: tabulated(forwardWork),
    backward: tabulated(backwardWork),
    backwardInput: tabulated((...work) => backwardWork(...work, 'input')),
    backwardWeight: tabulated((...work) => backwardWork(...work, 'weight')),
    step: memoize((adapter) => price(measure(stepWork(setting, content, adapter, shardsOf(options.sharing ?? WHOLE))))),
    contextBytes: profile.contextBytes.value,
  };
};

const memoize = <T>(compute: (index: number) => T): ((index: number) => T) => {
  const known: T[] = [];
  return (index) => (known[index] ??= compute(index));
};

const unchanged = (shape: MicrobatchShape): MicrobatchShape => shape;

/** What work on a device of this profile depends on. */
export const settingOf = (options: AnalyticCostOptions, profile: DeviceProfile): WorkSetting => {
  const own = {
    model: options.sharing?.kind === 'tensor' ? shardOfModel(options.model, options.sharing.ranks) : options.model,
    adapters: options.adapters,
    ...(options.optimizers === undefined ? {} : { optimizers: options.optimizers }),
    elementBytes: elementBytesOf(options.precision),
  };
  // Our executor has kernels of its own.
  if (kernelsOf(profile) === 'tfjs') return { ...own, attention: 'scores', elementwise: 'tfjs' };
  const { baseWeights = 'full', attention = 'scores', elementwise = kernelsOf(profile) } = options;
  return { ...own, baseWeights, attention, elementwise };
};

/** Two steps from kernels to time: numbers that are affine in the shape, and what they cost together. */
interface Timing {
  readonly measure: (kernels: readonly Kernel[]) => number[];
  readonly price: (measures: ArrayLike<number>) => ComputeCost;
}

const timing = (profile: DeviceProfile, gpu: Gpu, mode: Parameters<typeof createRoofline>[2]): Timing => {
  if (profile.kind === 'roofline') {
    const roofline = createRoofline(profile, gpu, mode);
    return {
      measure: kernelMeasures,
      price: (measures) => rooflineCost(roofline, measures),
    };
  }
  const nsPer = WORK_FEATURES.map((feature) => profile.nsPer[feature].value);
  return {
    measure: (kernels) => [featuresOf(kernels).reduce((ns, amount, index) => ns + amount * nsPer[index]!, 0)],
    price: (ns) => ({ deviceNs: ns[0]!, launchNs: 0 }),
  };
};
