import type { Gpu } from '../core/cluster/cluster.ts';
import { groupOfDevices, type RankGroup } from '../core/cluster/collective-algorithm.ts';
import type { CollectiveCost, ComputeCost, CostModel, ResidentBytes } from '../core/cost-model.ts';
import type { GradientCollectiveKind, MicrobatchCollectiveKind } from '../core/plan/op.ts';
import { neighboursOf } from '../core/plan/pipelines.ts';
import type { MicrobatchShape, StagePlacement } from '../core/plan/plan.ts';
import { gradientCollective, microbatchCollective, sharedWeightBytes } from '../core/work/collective.ts';
import {
  adapterRoundingBytes,
  adapterStateBytes,
  quantizationBytes,
  savedBytes,
  savedRoundingBytes,
  temporaryBytes,
  transferBytes,
} from '../core/work/memory.ts';
import { gatheredInputBytes, sumsBesideProducts } from '../core/work/released-tensor-parallel.ts';
import { stageContents, type StageContent } from '../core/work/setting.ts';
import { shardsOf, WHOLE, type Sharing } from '../core/work/sharing.ts';
import { stepWork } from '../core/work/stage.ts';
import { exposedSums } from './exposed-sums.ts';
import { deviceTimes, once, type AnalyticCostOptions, type ByShape, type DeviceTimes } from './device-times.ts';

/** Times by kind of device: the same for every cut of a model into stages. */
export type KnownDevices = Map<Gpu, DeviceTimes>;

/**
 * Cost model that predicts an op's time from its work and its device's profile. Models that differ in nothing but their
 * stages may share `devices`, so that what is known of a layer is worked out once.
 */
export const analyticCost = (options: AnalyticCostOptions, devices: KnownDevices = new Map()): CostModel => {
  const stages = stageCosts(options, devices);
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
const stageCosts = (options: AnalyticCostOptions, devices: KnownDevices): StageCost[] => {
  const known = new Map<Gpu, Map<string, StageCost>>();
  const inOneCall = stagesInOneCall(options.stages);
  const group = groupOfDevices(options.cluster, [...new Set(options.stages.map(({ device }) => device))]);
  return stageContents(options.stages).map((content, stage) => {
    const { gpu } = options.cluster.devices[options.stages[stage]!.device]!;
    const device = devices.get(gpu) ?? deviceTimes(options, gpu);
    const stages = known.get(gpu) ?? new Map<string, StageCost>();
    devices.set(gpu, device);
    known.set(gpu, stages);
    const key = JSON.stringify([content, inOneCall[stage]]);
    const cost = stages.get(key) ?? stageCost(options.sharing ?? WHOLE, device, { group, content, passShare: messagesOf(content) / inOneCall[stage]! });
    stages.set(key, cost);
    return cost;
  });
};

/** A pass of layers takes one message in and sends one; where the loss is apart, it takes one in forward and sends one in backward. */
const messagesOf = ({ layerCount }: StageContent): number => (layerCount === 0 ? 1 / 2 : 1);

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

const onceEach = <T>(of: (adapter: number) => T): ((adapter: number) => T) => {
  const known: { readonly value: T }[] = [];
  return (adapter) => (known[adapter] ??= { value: of(adapter) }).value;
};

interface StageFacts {
  /** All devices of the plan, which share the model where it is shared out. */
  readonly group: RankGroup;
  readonly content: StageContent;
  /** Of the time that a program takes around a pass. */
  readonly passShare: number;
}

const stageCost = (sharing: Sharing, { setting, profile, executed, pass, kernels }: DeviceTimes, { group, content, passShare }: StageFacts): StageCost => {
  const shards = shardsOf(sharing);
  const perPassNs = passShare * profile.perPassNs.value;
  const called = (time: ByShape<ComputeCost>): ByShape<ComputeCost> =>
    once((shape) => {
      const cost = time(shape);
      return { ...cost, deviceNs: cost.deviceNs + perPassNs };
    });
  const collective = (kind: MicrobatchCollectiveKind): ByShape<CollectiveCost> =>
    once((shape) => microbatchCollective(setting, content, { sharing, kind, shape }));
  const backwardSums: ByShape<CollectiveCost> =
    sharing.kind === 'tensor' && sharing.collectives === 'released'
      ? once((shape) =>
          exposedSums(microbatchCollective(setting, content, { sharing, kind: 'allReduceBackward', shape }), sumsBesideProducts(setting, content, sharing, shape), {
            group,
            timeNs: (products) => kernels(products).deviceNs,
          }),
        )
      : collective('allReduceBackward');
  const keptInputs = (shape: MicrobatchShape): number =>
    sharing.kind === 'tensor' && sharing.collectives === 'released' ? gatheredInputBytes(setting, content, sharing, shape) : 0;
  const heldBytes = sharedWeightBytes(setting, content, sharing) / shards;
  return {
    forward: called(pass('forward', content)),
    backward: called(pass('backward', content)),
    // The second half of a backward belongs to the call of the first.
    backwardInput: called(pass('backwardInput', content)),
    backwardWeight: pass('backwardWeight', content),
    step: onceEach((adapter) => kernels(stepWork(setting, content, adapter, shards))),
    collective: {
      allGatherForward: collective('allGatherForward'),
      allGatherBackward: collective('allGatherBackward'),
      allReduceForward: collective('allReduceForward'),
      allReduceBackward: backwardSums,
    },
    reduction: (kind, adapter) => gradientCollective(setting, content, { sharing, kind, adapter }),
    transferBytes: (shape) => transferBytes(setting, content, shape),
    activationBytes: once((shape) => savedBytes(setting, content, executed(shape)) + keptInputs(shape)),
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
