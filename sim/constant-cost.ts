import type { Cluster } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import { bytes, GIGA, nanoseconds } from '../core/units.ts';

/** The same cost for every stage, shape and adapter; what is left out costs nothing. */
export interface ConstantCosts {
  readonly forwardNs: number;
  readonly backwardNs: number;
  /** Halves of a split backward; absent: all of it, and nothing. */
  readonly backwardInputNs?: number;
  readonly backwardWeightNs?: number;
  readonly stepNs?: number;
  /** Bytes and calls of every collective. */
  readonly collectiveBytes?: number;
  readonly collectiveCalls?: number;
  /** Frozen weights that a gathered stage holds beyond its own shard. */
  readonly gatheredBytes?: number;
  /** Transfer time over a link of `constantCluster`, latency aside. */
  readonly transferNs?: number;
  /** Launch time of every compute op, and the part of it before its first kernel can start. */
  readonly launchNs?: number;
  readonly firstLaunchNs?: number;
  readonly activationBytes?: number;
  readonly transientBytes?: number;
  readonly baseWeightBytes?: number;
  readonly contextBytes?: number;
  /** Weights of one adapter on one stage; as much again for its gradients and twice as much for its optimizer. */
  readonly adapterBytes?: number;
}

/** Cost model for closed-form checks: durations are given, not derived. */
export const constantCost = (costs: ConstantCosts): CostModel => {
  const compute = (deviceNs: number) => ({
    deviceNs,
    launchNs: costs.launchNs ?? 0,
    firstLaunchNs: costs.firstLaunchNs ?? 0,
  });
  const adapters = costs.adapterBytes ?? 0;
  const transient = costs.transientBytes ?? 0;
  const collective = { bytes: costs.collectiveBytes ?? 0, calls: costs.collectiveCalls ?? 1 };
  return {
    forward: () => compute(costs.forwardNs),
    backward: () => compute(costs.backwardNs),
    backwardInput: () => compute(costs.backwardInputNs ?? costs.backwardNs),
    backwardWeight: () => compute(costs.backwardWeightNs ?? 0),
    microbatchCollective: () => collective,
    gradientCollective: () => collective,
    gatheredBytes: () => costs.gatheredBytes ?? 0,
    step: () => compute(costs.stepNs ?? 0),
    transferBytes: () => costs.transferNs ?? 0,
    activationBytes: () => costs.activationBytes ?? 0,
    transientBytes: () => ({ forward: transient, backward: transient }),
    residentBytes: () => ({ baseWeights: costs.baseWeightBytes ?? 0, context: costs.contextBytes ?? 0 }),
    adapterBytes: () => ({ adapters, gradients: adapters, optimizer: 2 * adapters }),
  };
};

/** Devices with a link of their own from each to each that moves one byte a nanosecond. */
export const constantCluster = (
  deviceCount: number,
  options: { readonly latencyNs?: number; readonly memoryBytes?: number; readonly bytesPerSecond?: number } = {},
): Cluster => {
  const numbers = Array.from({ length: deviceCount }, (_, index) => index);
  const pairs = numbers.flatMap((from) => numbers.filter((to) => to !== from).map((to) => [from, to] as const));
  return {
    name: `constant-${deviceCount}`,
    devices: numbers.map((index) => ({
      name: `device${index}`,
      machine: 0,
      gpu: {
        name: 'constant',
        flopsPerSecond: { fp32: 1, tf32: 1, bf16: 1, fp16: 1 },
        memoryBytes: bytes(options.memoryBytes ?? Number.MAX_SAFE_INTEGER),
        memoryBytesPerSecond: 1,
        source: 'made up: its costs are constant',
      },
    })),
    links: pairs.map(([from, to]) => ({
      name: `${from} to ${to}`,
      bytesPerSecond: options.bytesPerSecond ?? GIGA,
      latencyNs: nanoseconds((options.latencyNs ?? 0) / GIGA),
    })),
    routes: numbers.map((from) =>
      numbers.map((to) => (from === to ? [] : [pairs.findIndex((pair) => pair[0] === from && pair[1] === to)])),
    ),
  };
};
