import type { Cluster, Precision } from '../cluster/cluster.ts';
import type { ClusterDescription } from '../cluster/description.ts';
import type { Job } from '../job.ts';
import type { Model } from '../model/model.ts';
import type { BaseWeights } from '../work/frozen-linear.ts';

export type ScheduleName = 'gpipe' | '1f1b' | 'lorapp';
export const SCHEDULE_NAMES = ['gpipe', '1f1b', 'lorapp'] as const satisfies readonly ScheduleName[];

export interface Schedule {
  readonly type: ScheduleName;
  /** Pieces each mini-batch is split into. */
  readonly microbatches: number;
  /** LoRAPP: which of forward and backward goes first at a device (paper section 3.2). */
  readonly order: '1f1b' | 'gpipe';
  /** LoRAPP: when microbatches enter the pipeline; `greedy` is the paper's, for comparison. */
  readonly release: 'staggered' | 'greedy';
  /** LoRAPP: number of BatchLoRA groups; `auto` merges surplus adapters into as many groups as devices. */
  readonly groups: 'auto' | number;
  /** LoRAPP: microbatches in flight beyond one per stage; `auto` is as many as memory holds. */
  readonly extraInFlight: 'auto' | number;
  /**
   * Which stages run the forward of their layers again in backward instead of keeping activations; `auto`: those whose
   * memory would not hold otherwise. Absent: none.
   */
  readonly recompute?: Recompute;
}

export const RECOMPUTE = ['none', 'full', 'auto'] as const;
export type Recompute = (typeof RECOMPUTE)[number];

export const ATTENTION_KERNELS = ['scores', 'flash'] as const;
export const ELEMENTWISE_KERNELS = ['auto', 'eager', 'fused'] as const;

/** Where weights and tokenizer are, when there are any. */
export type ModelSource = { readonly kind: 'preset' } | { readonly kind: 'folder'; readonly path: string };

/** When each adapter of a run is saved so that a later run can go on from there. */
export interface CheckpointSettings {
  /** Iterations of an adapter from one checkpoint to the next. */
  readonly every: number;
  /** Latest checkpoints of an adapter that stay. */
  readonly keep: number;
}

/** An experiment file with every default filled in. */
export interface Experiment {
  readonly name: string;
  readonly model: Model;
  readonly modelSource: ModelSource;
  /** Element type of activations, and of base weights that are not quantised. */
  readonly precision: Precision;
  /** How linear modules hold their frozen weights. */
  readonly baseWeights: BaseWeights;
  /** Whether attention keeps its score matrices, as the paper's code does, or is one fused kernel. */
  readonly attention: (typeof ATTENTION_KERNELS)[number];
  /** Whether norms, RoPE and SwiGLU are one kernel each; `auto` is what the device's profile says. */
  readonly elementwise: (typeof ELEMENTWISE_KERNELS)[number];
  readonly cluster: Cluster;
  /** What `cluster` was built from; this is what a saved experiment says. */
  readonly clusterDescription: ClusterDescription;
  readonly schedule: Schedule;
  readonly checkpoint: CheckpointSettings;
  readonly jobs: readonly Job[];
}
