/** Which layers go where, for every schedule. */
import { pipelineStages, type InstancesSchedule, type Schedule } from '../core/experiment/schedule.ts';
import { assertNever } from '../core/never.ts';
import { partitionLayers, type LayerCosts, type LayerRange } from '../core/partition.ts';
import type { StagePlacement } from '../core/plan/plan.ts';

export interface PlacementOptions {
  readonly deviceCount: number;
  readonly adapterCount: number;
  /** Gradients of the largest adapter. */
  readonly gradientBytes: number;
}

/** Stages of a model whose layers cost this much, placed as a schedule wants them. */
export const placeLayers = (schedule: Schedule, costs: LayerCosts, options: PlacementOptions): StagePlacement[] => {
  const { deviceCount } = options;
  const layerCount = costs.layers.length;
  const cut = (): LayerRange[] => partitionLayers(costs, pipelineStages(schedule, deviceCount));
  switch (schedule.type) {
    case 'gpipe':
    case '1f1b':
    case 'lorapp': {
      const stages = cut().map((range, device) => ({ device, ...range }));
      return schedule.loss === 'tail' ? stages : [...stages, { device: 0, firstLayer: layerCount, endLayer: layerCount }];
    }
    case 'zb-h1':
    case 'interleaved':
      return cut().map((range, stage) => ({ device: stage % deviceCount, ...range }));
    case 'zb-v':
      return cut().map((range, stage) => ({ device: stage < deviceCount ? stage : 2 * deviceCount - 1 - stage, ...range }));
    case 'single':
      return placeRanks(1, evenRanges(layerCount, 1));
    case 'data-parallel':
      return placeRanks(deviceCount, evenRanges(layerCount, bucketCount(options.gradientBytes)));
    case 'fsdp':
      return placeRanks(deviceCount, evenRanges(layerCount, layerCount));
    case 'tensor-parallel':
      return placeRanks(deviceCount, evenRanges(layerCount, layerCount)).map((stage) => ({ ...stage, shard: stage.device }));
    case 'instances':
      return placeInstances(schedule, cut(), options);
    default:
      return assertNever(schedule);
  }
};

/** Every rank is a pipeline with all layers on its device. */
const placeRanks = (ranks: number, ranges: readonly LayerRange[]): StagePlacement[] =>
  Array.from({ length: ranks }, (_, rank) => rank).flatMap((rank) => ranges.map((range) => ({ device: rank, ...range, pipeline: rank })));

/** DistributedDataParallel sums gradients in buckets of this size (Li et al. 2020). */
const BUCKET_BYTES = 25 * 2 ** 20;

const bucketCount = (gradientBytes: number): number => Math.max(1, Math.ceil(gradientBytes / BUCKET_BYTES));

const evenRanges = (layerCount: number, wanted: number): LayerRange[] => {
  const count = Math.min(wanted, layerCount);
  const start = (range: number): number => Math.floor((range * layerCount) / count);
  return Array.from({ length: count }, (_, range) => ({ firstLayer: start(range), endLayer: start(range + 1) }));
};

/** Instances take blocks of devices in turn; `auto` places as many as there are adapters. */
const placeInstances = ({ count }: InstancesSchedule, ranges: readonly LayerRange[], { deviceCount, adapterCount }: PlacementOptions): StagePlacement[] => {
  const blocks = deviceCount / ranges.length;
  const instances = Math.min(adapterCount, count === 'auto' ? adapterCount : count * blocks);
  return Array.from({ length: instances }, (_, instance) => instance).flatMap((pipeline) =>
    ranges.map((range, stage) => ({ device: (pipeline % blocks) * ranges.length + stage, ...range, pipeline })),
  );
};
