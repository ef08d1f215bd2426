import type { Cluster, Gpu, Precision } from '../core/cluster/cluster.ts';
import type { ComputeCost } from '../core/cost-model.ts';
import type { Adapter, Optimizer } from '../core/job.ts';
import type { Model } from '../core/model/model.ts';
import { shardOfModel } from '../core/model/shard.ts';
import type { MicrobatchShape, StagePlacement } from '../core/plan/plan.ts';
import { tabulateAffine } from '../core/work/affine-work.ts';
import type { BaseWeights } from '../core/work/frozen-linear.ts';
import type { Kernel } from '../core/work/kernel.ts';
import { shapeAsPacked } from '../core/work/packed-shape.ts';
import { elementBytesOf, type StageContent, type WorkSetting } from '../core/work/setting.ts';
import type { Sharing } from '../core/work/sharing.ts';
import { backwardWork, forwardWork } from '../core/work/stage.ts';
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

/** A function of a microbatch's shape. */
export type ByShape<T> = (shape: MicrobatchShape) => T;

/** Computed once for each shape object. */
export const once = <T>(of: ByShape<T>): ByShape<T> => {
  const known = new WeakMap<MicrobatchShape, { readonly value: T }>();
  return (shape) => {
    let found = known.get(shape);
    if (found === undefined) known.set(shape, (found = { value: of(shape) }));
    return found.value;
  };
};

/** Sizes that kernels depend on: only our executor attends block by block and knows which rows carry a target. */
const VARYING = {
  eager: ['tokens', 'squaredTokens'],
  fused: ['tokens', 'squaredTokens'],
  tfjs: ['rows', 'tokens', 'squaredTokens', 'targets'],
} as const;

const PASSES = {
  forward: forwardWork,
  backward: backwardWork,
  backwardInput: (...work: Parameters<typeof forwardWork>) => backwardWork(...work, 'input'),
  backwardWeight: (...work: Parameters<typeof forwardWork>) => backwardWork(...work, 'weight'),
} as const;
type Pass = keyof typeof PASSES;

/** How long a kind of device takes for the passes of any stage, and for kernels. */
export interface DeviceTimes {
  readonly setting: WorkSetting;
  readonly profile: DeviceProfile;
  /** A shape as the kernels see it. */
  readonly executed: (shape: MicrobatchShape) => MicrobatchShape;
  readonly pass: (pass: Pass, content: StageContent) => ByShape<ComputeCost>;
  readonly kernels: (kernels: readonly Kernel[]) => ComputeCost;
}

export const deviceTimes = (options: AnalyticCostOptions, gpu: Gpu): DeviceTimes => {
  const profile = (options.profileOf ?? defaultProfileOf)(gpu);
  const setting = settingOf(options, profile);
  const executed: DeviceTimes['executed'] = setting.elementwise === 'tfjs' ? shapeAsPacked : (shape) => shape;
  const { measure, price } = timing(profile, gpu, { precision: options.precision, attention: setting.attention });
  const kindOf = kindsOf(options.adapters);
  const known = new Map<string, ByShape<ComputeCost>>();
  const whole = (pass: Pass, content: StageContent): ByShape<ComputeCost> => {
    const key = JSON.stringify([pass, content]);
    const found = known.get(key);
    if (found !== undefined) return found;
    const table = tabulateAffine((shape) => measure(PASSES[pass](setting, content, shape)), { varying: VARYING[setting.elementwise], kindOf });
    const time = once((shape) => price(table(executed(shape))));
    known.set(key, time);
    return time;
  };
  const inParts = (pass: Pass, content: StageContent): ByShape<ComputeCost> => {
    const parts = partsOfContent(content).map(({ times, content: part }) => ({ times, cost: whole(pass, part) }));
    return once((shape) => addCosts(parts.map(({ times, cost }) => ({ times, cost: cost(shape) }))));
  };
  return { setting, profile, executed, pass: inParts, kernels: (kernels) => price(measure(kernels)) };
};

/** Adapters that are written alike have the same number: their kernels are the same. */
const kindsOf = (adapters: readonly Adapter[]): ((adapter: number) => number) => {
  const numbers = new Map<string, number>();
  const kinds = adapters.map((adapter) => {
    const written = JSON.stringify(adapter);
    const number = numbers.get(written) ?? numbers.size;
    numbers.set(written, number);
    return number;
  });
  return (adapter) => kinds[adapter]!;
};

interface ContentPart {
  readonly times: number;
  readonly content: StageContent;
}

/** A stage as its ends, equal layers and the model's lowest layer, whose backward is shorter: all stages share the layers. */
const partsOfContent = (content: StageContent): ContentPart[] => {
  const layer: StageContent = { layerCount: 1, embedding: false, head: false, ...(content.recompute === true ? { recompute: true } : {}) };
  const lowest = content.embedding ? Math.min(1, content.layerCount) : 0;
  return [
    { times: 1, content: { ...content, layerCount: 0, embedding: content.embedding && lowest === 0 } },
    { times: lowest, content: { ...layer, embedding: true } },
    { times: content.layerCount - lowest, content: layer },
  ].filter(({ times }) => times > 0);
};

/** Costs one after the other; launching starts once. */
const addCosts = (parts: readonly { readonly times: number; readonly cost: ComputeCost }[]): ComputeCost => {
  let deviceNs = 0;
  let launchNs = 0;
  let firstLaunchNs = 0;
  for (const { times, cost } of parts) {
    deviceNs += times * cost.deviceNs;
    launchNs += times * cost.launchNs;
    firstLaunchNs = Math.max(firstLaunchNs, cost.firstLaunchNs ?? 0);
  }
  return { deviceNs, launchNs, firstLaunchNs };
};

const modelOfRank = ({ model, sharing }: AnalyticCostOptions): Model =>
  sharing?.kind === 'tensor' ? shardOfModel(model, sharing.ranks, { sharesVocabulary: sharing.collectives === 'standard' }) : model;

/** What work on a device of this profile depends on. */
export const settingOf = (options: AnalyticCostOptions, profile: DeviceProfile): WorkSetting => {
  const own = {
    model: modelOfRank(options),
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
