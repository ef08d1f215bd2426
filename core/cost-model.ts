import type { GradientCollectiveKind, MicrobatchCollectiveKind } from './plan/op.ts';
import { pipelineOf } from './plan/pipelines.ts';
import type { MicrobatchShape, StagePlacement } from './plan/plan.ts';

/** What one compute op costs on its device. */
export interface ComputeCost {
  /** Time the device's arithmetic and memory need, launches aside. */
  readonly deviceNs: number;
  /** Time the host needs to launch the op's kernels; runs ahead of the device on the host stream. */
  readonly launchNs: number;
  /** Part of `launchNs` that passes before the first kernel can start; absent: none. */
  readonly firstLaunchNs?: number;
}

/** What one collective moves. */
export interface CollectiveCost {
  /** Of the whole tensor: gathered, summed, or before it is scattered. */
  readonly bytes: number;
  /** Library calls that it stands for; each pays the latency. */
  readonly calls: number;
  /** Held on each device while it runs, beside what it gathers; absent: nothing. */
  readonly bufferBytes?: number;
}

/**
 * Classes of device memory the ledger tells apart. `quantization`: buffers of dequantised weights; `allocator`: what
 * rounding adds to tensors.
 */
export const MEMORY_CLASSES = ['baseWeights', 'adapters', 'gradients', 'optimizer', 'activations', 'transient', 'communication', 'context', 'quantization', 'allocator'] as const;
export type MemoryClass = (typeof MEMORY_CLASSES)[number];
export const MEMORY_CLASS = {
  baseWeights: 0,
  adapters: 1,
  gradients: 2,
  optimizer: 3,
  activations: 4,
  transient: 5,
  communication: 6,
  context: 7,
  quantization: 8,
  allocator: 9,
} as const satisfies Record<MemoryClass, number>;

/**
 * What planners and the simulator ask about an op. Implementations are pure; stage indices are those of the plan.
 * Times are nanoseconds, sizes are bytes.
 */
export interface CostModel {
  readonly forward: (stage: number, shape: MicrobatchShape) => ComputeCost;
  readonly backward: (stage: number, shape: MicrobatchShape) => ComputeCost;
  /** The two halves of a backward: what the stage before waits for, and what only the step waits for. */
  readonly backwardInput: (stage: number, shape: MicrobatchShape) => ComputeCost;
  readonly backwardWeight: (stage: number, shape: MicrobatchShape) => ComputeCost;
  readonly step: (stage: number, adapter: number) => ComputeCost;
  readonly microbatchCollective: (kind: MicrobatchCollectiveKind, stage: number, shape: MicrobatchShape) => CollectiveCost;
  readonly gradientCollective: (kind: GradientCollectiveKind, stage: number, adapter: number) => CollectiveCost;
  /** Bytes that travel between a stage and the one after it in its pipeline, the same in both directions. */
  readonly transferBytes: (stage: number, shape: MicrobatchShape) => number;
  /** Saved for the backward of a microbatch from the start of its forward to the end of its backward. */
  readonly activationBytes: (stage: number, shape: MicrobatchShape) => number;
  /** Alive only while an op of that kind runs. */
  readonly transientBytes: (stage: number, shape: MicrobatchShape) => { readonly forward: number; readonly backward: number };
  /**
   * Held from the start to the end of the run: frozen weights, the runtime's context and the buffer for dequantised
   * weights (absent: none). Stages of one pipeline and device share context and buffer.
   */
  readonly residentBytes: (stage: number) => ResidentBytes;
  /** Frozen weights beyond a device's own shard, from the start of their all-gather to the end of the pass they are for. */
  readonly gatheredBytes: (stage: number) => number;
  /** Held by one loaded adapter on a stage. */
  readonly adapterBytes: (
    stage: number,
    adapter: number,
  ) => { readonly adapters: number; readonly gradients: number; readonly optimizer: number };
  /** What the allocator adds to those tensors; absent: nothing. */
  readonly rounding?: {
    readonly activationBytes: (stage: number, shape: MicrobatchShape) => number;
    readonly adapterBytes: (stage: number, adapter: number) => number;
  };
}

export interface ResidentBytes {
  readonly baseWeights: number;
  readonly context: number;
  readonly quantization?: number;
}

/**
 * What all stages of one device hold together from start to end. A pipeline is a process of its own, whose stages on the
 * device share context and buffer.
 */
export const residentBytesOf = (cost: CostModel, stages: readonly StagePlacement[], device: number): Required<ResidentBytes> => {
  const own = [...stages.keys()].filter((stage) => stages[stage]!.device === device);
  const shared = (pick: (held: ResidentBytes) => number): number => {
    const most = new Map<number, number>();
    for (const stage of own) {
      const pipeline = pipelineOf(stages[stage]!);
      most.set(pipeline, Math.max(most.get(pipeline) ?? 0, pick(cost.residentBytes(stage))));
    }
    return [...most.values()].reduce((sum, bytes) => sum + bytes, 0);
  };
  return {
    baseWeights: own.reduce((sum, stage) => sum + cost.residentBytes(stage).baseWeights, 0),
    context: shared(({ context }) => context),
    quantization: shared(({ quantization }) => quantization ?? 0),
  };
};

/** Bytes of one adapter on a stage, rounding included. */
export const adapterTotalBytes = (cost: CostModel, stage: number, adapter: number): number => {
  const { adapters, gradients, optimizer } = cost.adapterBytes(stage, adapter);
  return adapters + gradients + optimizer + (cost.rounding?.adapterBytes(stage, adapter) ?? 0);
};

/** Bytes kept of a microbatch, rounding included. */
export const activationTotalBytes = (cost: CostModel, stage: number, shape: MicrobatchShape): number =>
  cost.activationBytes(stage, shape) + (cost.rounding?.activationBytes(stage, shape) ?? 0);
