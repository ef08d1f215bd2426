import type { Cluster, Gpu, Precision } from '../core/cluster/cluster.ts';
import type { CollectiveCost, ComputeCost, CostModel, ResidentBytes } from '../core/cost-model.ts';
import type { Adapter, Optimizer } from '../core/job.ts';
import type { Model } from '../core/model/model.ts';
import { shardOfModel } from '../core/model/shard.ts';
import type { GradientCollectiveKind, MicrobatchCollectiveKind } from '../core/plan/op.ts';
import { neighboursOf } from '../core/plan/pipelines.ts';
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
  const stages = stageCosts(options);
  return {
    forward: (stage, shape) => stages[stage]!.forward(shape),
    backward: (stage, shape) => stages[stage]!.backward(shape),
    backwardInput: (stage, shape) => stages[stage]!.backwardInput(shape),
    backwardWeight: (stage, shape) => stages[stage]!.backwardWeight(shape),
    microbatchCollective: (kind, stage, shape) => stages[stage]!.collective[kind](shape),
    gradientCollective: (kind, stage, adapter) => stages[stage]!.reduction(kind, adapter),
    gatheredBytes: (stage) => stages[stage]!.gatheredBytes,
    step: (stage, adapter) => stages[stage]!.step(adapter),
    transferBytes: (stage, shape) => stages[stage]!.transferBytes(shape),
    activationBytes: (stage, shape) => stages[stage]!.activationBytes(shape),
    transientBytes: (stage, shape) => stages[stage]!.transientBytes(shape),
    residentBytes: (stage) => stages[stage]!.resident,
    adapterBytes: (stage, adapter) => stages[stage]!.adapterBytes(adapter),
    rounding: {
      activationBytes: (stage, shape) => stages[stage]!.activationRounding(shape),
      adapterBytes: (stage, adapter) => stages[stage]!.adapterRounding(adapter),
    },
  };
};

type ByShape<T> = (shape: MicrobatchShape) => T;

/** Everything about a stage, each shape's costs computed once. */
interface StageCost {
  readonly forward: ByShape<ComputeCost>;
  readonly backward: ByShape<ComputeCost>;
  readonly backwardInput: ByShape<ComputeCost>;
  readonly backwardWeight: ByShape<ComputeCost>;
  readonly step: (adapter: number) => ComputeCost;
  readonly collective: Readonly<Record<MicrobatchCollectiveKind, ByShape<CollectiveCost>>>;
  readonly reduction: (kind: GradientCollectiveKind, adapter: number) => CollectiveCost;
  readonly transferBytes: ByShape<number>;
  readonly activationBytes: ByShape<number>;
  readonly activationRounding: ByShape<number>;
  readonly transientBytes: ByShape<{ readonly forward: number; readonly backward: number }>;
  readonly adapterBytes: (adapter: number) => ReturnType<CostModel['adapterBytes']>;
  readonly adapterRounding: (adapter: number) => number;
  readonly gatheredBytes: number;
  readonly resident: ResidentBytes;
}

/** Ranks have many stages with the same content on the same kind of device: those share what is computed of them. */
const stageCosts = (options: AnalyticCostOptions): StageCost[] => {
  const known = new Map<Gpu, Map<string, StageCost>>();
  const inOneCall = stagesInOneCall(options.stages);
  return stageContents(options.stages).map((content, stage) => {
    const { gpu } = options.cluster.devices[options.stages[stage]!.device]!;
    const ofGpu = known.get(gpu) ?? new Map<string, StageCost>();
    known.set(gpu, ofGpu);
    const key = JSON.stringify([content, inOneCall[stage]]);
    const cost = ofGpu.get(key) ?? stageCost(options, { content, gpu, passShare: 1 / inOneCall[stage]! });
    ofGpu.set(key, cost);
    return cost;
  });
};

/** For each stage, how many neighbours on its device a program passes in the same call: the units of a rank are one call. */
const stagesInOneCall = (stages: readonly StagePlacement[]): number[] => {
  const { previous, next } = neighboursOf(stages);
  const isTogether = (stage: number, neighbour: number): boolean => neighbour >= 0 && stages[neighbour]!.device === stages[stage]!.device;
  return stages.map((_, stage) => {
    let [first, last] = [stage, stage];
    while (isTogether(first, previous[first]!)) first = previous[first]!;
    while (isTogether(last, next[last]!)) last = next[last]!;
    return last - first + 1;
  });
};

const once = <T>(of: ByShape<T>): ByShape<T> => {
  const known = new WeakMap<MicrobatchShape, { readonly value: T }>();
  return (shape) => {
    let found = known.get(shape);
    if (found === undefined) known.set(shape, (found = { value: of(shape) }));
    return found.value;
  };
};

const onceEach = <T>(of: (adapter: number) => T): ((adapter: number) => T) => {
  const known: { readonly value: T }[] = [];
  return (adapter) => (known[adapter] ??= { value: of(adapter) }).value;
};

interface StageFacts {
  readonly content: StageContent;
  readonly gpu: Gpu;
  /** Of the time that a program takes around a pass. */
  readonly passShare: number;
}

const stageCost = (options: AnalyticCostOptions, { content, gpu, passShare }: StageFacts): StageCost => {
  const { sharing = WHOLE } = options;
  const shards = shardsOf(sharing);
  const profile = (options.profileOf ?? defaultProfileOf)(gpu);
  const setting = settingOf(options, profile);
  /** The shape as the kernels see it. */
  const executed: (shape: MicrobatchShape) => MicrobatchShape = setting.elementwise === 'tfjs' ? shapeAsPacked : (shape) => shape;
  const { measure, price } = timing(profile, gpu, { precision: options.precision, attention: setting.attention });
  const timed = (work: typeof forwardWork): ByShape<ComputeCost> => {
    const table = tabulateAffine((shape) => measure(work(setting, content, shape)));
    return once((shape) => price(table(executed(shape))));
  };
  const perPassNs = profile.kind === 'roofline' ? passShare * profile.perPassNs.value : 0;
  const called = (pass: ByShape<ComputeCost>): ByShape<ComputeCost> =>
    once((shape) => {
      const cost = pass(shape);
      return { ...cost, deviceNs: cost.deviceNs + perPassNs };
    });
  const collective = (kind: MicrobatchCollectiveKind): ByShape<CollectiveCost> =>
    once((shape) => microbatchCollective(setting, content, { sharing, kind, shape }));
  const heldBytes = sharedWeightBytes(setting, content, sharing) / shards;
  return {
    forward: called(timed(forwardWork)),
    backward: called(timed(backwardWork)),
    // The second half of a backward belongs to the call of the first.
    backwardInput: called(timed((...work) => backwardWork(...work, 'input'))),
    backwardWeight: timed((...work) => backwardWork(...work, 'weight')),
    step: onceEach((adapter) => price(measure(stepWork(setting, content, adapter, shards)))),
    collective: {
      allGatherForward: collective('allGatherForward'),
      allGatherBackward: collective('allGatherBackward'),
      allReduceForward: collective('allReduceForward'),
      allReduceBackward: collective('allReduceBackward'),
    },
    reduction: (kind, adapter) => gradientCollective(setting, content, { sharing, kind, adapter }),
    transferBytes: (shape) => transferBytes(setting, content, shape),
    activationBytes: once((shape) => savedBytes(setting, content, executed(shape))),
    activationRounding: once((shape) => savedRoundingBytes(setting, content, executed(shape))),
    transientBytes: once((shape) => temporaryBytes(setting, content, executed(shape))),
    adapterBytes: onceEach((adapter) => {
      const { adapters, gradients, optimizer } = adapterStateBytes(setting, content, adapter);
      return { adapters: adapters / shards, gradients: gradients / shards, optimizer: optimizer / shards };
    }),
    // Shards are cut from one flat tensor.
    adapterRounding: onceEach((adapter) => (shards > 1 ? 0 : adapterRoundingBytes(setting, content, adapter))),
    gatheredBytes: (shards - 1) * heldBytes,
    resident: { baseWeights: heldBytes, context: profile.contextBytes.value, quantization: quantizationBytes(setting, content) },
  };
};

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
