/** Predictions for one device and one whole model, or some of its layers, and the searches that fit a constant to them. */
import type { Cluster } from '../../core/cluster/cluster.ts';
import { GPU_PRESETS } from '../../core/cluster/gpus.ts';
import { adapterTotalBytes, activationTotalBytes, residentBytesOf, type CostModel } from '../../core/cost-model.ts';
import type { MicrobatchShape, StagePlacement } from '../../core/plan/plan.ts';
import { analyticCost } from '../../sim/analytic-cost.ts';
import type { AnalyticCostOptions } from '../../sim/device-times.ts';
import type { Figure, RooflineProfile } from '../../sim/device-profile.ts';

const clusterOf = (preset: string): Cluster => ({
  name: preset,
  devices: [{ name: 'device0', gpu: GPU_PRESETS.get(preset)!, machine: 0 }],
  links: [],
  routes: [[[]]],
});

export type DeviceOptions = Omit<AnalyticCostOptions, 'cluster' | 'stages' | 'profileOf'> & {
  readonly gpu: string;
  readonly profile: RooflineProfile;
  /** Default: the whole model as one stage. */
  readonly stages?: readonly StagePlacement[];
};

export const costOnDevice = ({ gpu, profile, stages, ...options }: DeviceOptions): CostModel =>
  analyticCost({
    ...options,
    stages: stages ?? [wholeModel(options.model.layerCount)],
    cluster: clusterOf(gpu),
    profileOf: () => profile,
  });

export const wholeModel = (layerCount: number): StagePlacement => ({ device: 0, firstLayer: 0, endLayer: layerCount });

/** `rows` rows of `length` tokens of every adapter. */
export const evenShape = (adapters: number, rows: number, length: number): MicrobatchShape => ({
  parts: Array.from({ length: adapters }, (_, adapter) => ({
    adapter,
    rows,
    tokens: rows * length,
    squaredTokens: rows * length * length,
  })),
});

/** Most bytes that stage 0 holds while one microbatch passes it, all adapters loaded. */
export const peakBytes = (cost: CostModel, shape: MicrobatchShape): number => {
  const { baseWeights, context, quantization } = residentBytesOf(cost, [wholeModel(0)], 0);
  const adapters = shape.parts.reduce((sum, { adapter }) => sum + adapterTotalBytes(cost, 0, adapter), 0);
  const { forward, backward } = cost.transientBytes(0, shape);
  return baseWeights + context + quantization + adapters + activationTotalBytes(cost, 0, shape) + Math.max(forward, backward);
};

export const fittedFigure = (value: number): Figure => ({ value, origin: 'fitted', source: 'scorecard' });

const GOLDEN = (Math.sqrt(5) - 1) / 2;
const STEPS = 40;

/** Where `loss` is least between two bounds, for a loss with one valley (golden section). */
export const leastAt = (loss: (value: number) => number, [from, to]: readonly [number, number]): number => {
  let [low, high] = [from, to];
  for (let step = 0; step < STEPS; step++) {
    const [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
    if (loss(left) <= loss(right)) high = right;
    else low = left;
  }
  return (low + high) / 2;
};

/** A prediction and what was measured. */
export type Pair = readonly [predicted: number, measured: number];

/** Σ (predicted ÷ measured − 1)². */
export const squaredErrors = (pairs: readonly Pair[]): number =>
  pairs.reduce((sum, [predicted, measured]) => sum + (predicted / measured - 1) ** 2, 0);

/** The factor on all predictions with the least squared relative errors. */
export const bestFactor = (pairs: readonly Pair[]): number =>
  pairs.reduce((sum, [predicted, measured]) => sum + predicted / measured, 0) /
  pairs.reduce((sum, [predicted, measured]) => sum + (predicted / measured) ** 2, 0);

/** What, added to all predictions, gives the least squared relative errors. */
export const bestOffset = (pairs: readonly Pair[]): number =>
  pairs.reduce((sum, [predicted, measured]) => sum + (measured - predicted) / measured ** 2, 0) /
  pairs.reduce((sum, [, measured]) => sum + 1 / measured ** 2, 0);

/** Predictions beside what was measured of a quantity, for the rows that have it. */
export const pairsOf = <Input, Quantity extends string>(
  rows: readonly { readonly input: Input; readonly measured: Readonly<Partial<Record<Quantity, number>>> }[],
  quantity: Quantity,
  predict: (input: Input) => number,
): Pair[] =>
  rows.flatMap(({ input, measured }): Pair[] => {
    const value = measured[quantity];
    return value === undefined ? [] : [[predict(input), value]];
  });
