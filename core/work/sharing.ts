/** How the ranks of a plan share one model; its stages alone do not say it. */
export type Sharing = Whole | Sharded | TensorParallel;

/** Every pipeline has weights of its own: one of them, instances, data parallelism. */
export interface Whole {
  readonly kind: 'whole';
}

/** Ranks keep a share of every tensor and gather the rest for as long as it is needed (FSDP). */
export interface Sharded {
  readonly kind: 'sharded';
  readonly ranks: number;
  /** What one collective call moves: a layer, or a layer and, by itself, each adapter matrix. */
  readonly unit: 'layer' | 'module';
  /** Whether weights are kept and gathered in fp32 whatever the precision. */
  readonly fp32: boolean;
}

/** Ranks compute a share of each layer (Megatron). */
export interface TensorParallel {
  readonly kind: 'tensor';
  readonly ranks: number;
  /** `standard`: two sums a layer and direction; `released`: what the mLoRA paper's baseline adds for LoRA. */
  readonly collectives: 'standard' | 'released';
}

export const WHOLE: Whole = { kind: 'whole' };

/** Ranks among which every tensor is divided; 1 where each has it whole, or its own part of the arithmetic as well. */
export const shardsOf = (sharing: Sharing): number => (sharing.kind === 'sharded' ? sharing.ranks : 1);
