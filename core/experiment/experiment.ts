import type { Cluster, Precision } from '../cluster/cluster.ts';
import type { ClusterDescription } from '../cluster/description.ts';
import type { Job } from '../job.ts';
import type { Model } from '../model/model.ts';
import type { BaseWeights } from '../work/frozen-linear.ts';
import type { JobGrid } from './job-grid.ts';
import type { Schedule } from './schedule.ts';

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
  /** Which of the jobs are trials of a grid, and of which values. */
  readonly grids: readonly JobGrid[];
}
