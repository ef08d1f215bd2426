import type { GradientCollectiveKind, MicrobatchCollectiveKind } from './plan/op.ts';
import type { MicrobatchShape } from './plan/plan.ts';

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
}

/** Classes of device memory the ledger tells apart. */
export const MEMORY_CLASSES = ['baseWeights', 'adapters', 'gradients', 'optimizer', 'activations', 'transient', 'communication', 'context'] as const;
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
  /** Bytes that travel between two neighbouring stages, the same in both directions. */
  readonly transferBytes: (shape: MicrobatchShape) => number;
  /** Saved for the backward of a microbatch from the start of its forward to the end of its backward. */
  readonly activationBytes: (stage: number, shape: MicrobatchShape) => number;
  /** Alive only while an op of that kind runs. */
  readonly transientBytes: (stage: number, shape: MicrobatchShape) => { readonly forward: number; readonly backward: number };
  /** Held from the start to the end of the run: frozen weights and runtime context. */
  readonly residentBytes: (stage: number) => { readonly baseWeights: number; readonly context: number };
  /** Frozen weights beyond a device's own shard, from the start of their all-gather to the end of the pass they are for. */
  readonly gatheredBytes: (stage: number) => number;
  /** Held by one loaded adapter on a stage. */
  readonly adapterBytes: (
    stage: number,
    adapter: number,
  ) => { readonly adapters: number; readonly gradients: number; readonly optimizer: number };
}
