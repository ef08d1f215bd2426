/** Schedules an experiment can choose between, each with its own options. */
import { assertNever } from '../never.ts';
import { WHOLE, type Sharing } from '../work/sharing.ts';

export const RECOMPUTE = ['none', 'full', 'auto'] as const;
/**
 * Which stages run the forward of their layers again in backward instead of keeping activations; `auto`: those whose
 * memory would not hold otherwise.
 */
export type Recompute = (typeof RECOMPUTE)[number];

/** What every schedule says. */
interface CommonOptions {
  /** Pieces each mini-batch is split into; with a `global` batch, on each of the ranks that share one. */
  readonly microbatches: number;
  readonly recompute: Recompute;
}

/**
 * Where the loss is computed: on the last stage, or, as the code released with the mLoRA paper does it, on the first
 * device, to which the last stage sends fp32 logits.
 */
export const LOSS_PLACES = ['tail', 'head'] as const;
export type LossPlace = (typeof LOSS_PLACES)[number];

/** One adapter at a time, its whole mini-batch in and out of the pipeline before its weights change. */
export interface BarrierSchedule extends CommonOptions {
  readonly type: 'gpipe' | '1f1b';
  readonly loss: LossPlace;
}

/** 1F1B with several stages on each device: `chunks` rounds over the devices (Narayanan et al. 2021). */
export interface InterleavedSchedule extends CommonOptions {
  readonly type: 'interleaved';
  readonly chunks: number;
}

/** Split backwards fill the bubbles of 1F1B; zb-v has two stages a device, there and back (Qi et al. 2024). */
export interface ZeroBubbleSchedule extends CommonOptions {
  readonly type: 'zb-h1' | 'zb-v';
}

export interface LorappSchedule extends CommonOptions {
  readonly type: 'lorapp';
  /** Which of forward and backward goes first at a device (paper section 3.2). */
  readonly order: '1f1b' | 'gpipe';
  /** When microbatches enter the pipeline; `greedy` is the paper's, for comparison. */
  readonly release: 'staggered' | 'greedy';
  /** Number of BatchLoRA groups; `auto` merges surplus adapters into as many groups as devices. */
  readonly groups: 'auto' | number;
  /** Microbatches in flight beyond one per stage; `auto` is as many as memory holds. */
  readonly extraInFlight: 'auto' | number;
  readonly loss: LossPlace;
}

/** Whole models, one adapter or BatchLoRA group after another; `groups: auto` trains every adapter alone. */
interface RankSchedule extends CommonOptions {
  readonly groups: 'auto' | number;
}

/** One device does everything, as PEFT does; the others of the cluster are idle. */
export interface SingleSchedule extends RankSchedule {
  readonly type: 'single';
}

/** `global`: the ranks share a mini-batch of a job's batch size. `perRank`: each has one of its own, and all make a step. */
export const RANK_BATCHES = ['global', 'perRank'] as const;
export type RankBatch = (typeof RANK_BATCHES)[number];

/** Every device has the whole model; gradients are summed (DistributedDataParallel). */
export interface DataParallelSchedule extends RankSchedule {
  readonly type: 'data-parallel';
  readonly batch: RankBatch;
}

/** In which passes the next unit is gathered while one computes. */
export const PREFETCH = ['both', 'forward', 'none'] as const;

/** Every device has a share of each weight and gathers the rest for as long as it needs it (FullyShardedDataParallel). */
export interface FsdpSchedule extends RankSchedule {
  readonly type: 'fsdp';
  readonly batch: RankBatch;
  /** What one collective call moves: a layer, or a layer and, by itself, each of its adapters' matrices. */
  readonly unit: 'layer' | 'module';
  readonly prefetch: (typeof PREFETCH)[number];
  /** Whether weights are given back after forward and gathered again for backward. */
  readonly reshard: boolean;
  /** Whether weights are kept and gathered in fp32 whatever the precision of the products. */
  readonly gatherFp32: boolean;
}

/** Every device has a share of each layer's heads and columns (Megatron). */
export interface TensorParallelSchedule extends RankSchedule {
  readonly type: 'tensor-parallel';
  /** `standard`: two all-reduces a layer and direction; `released`: what the paper's baseline adds for LoRA. */
  readonly collectives: 'standard' | 'released';
}

/** Pipelines side by side on the same devices, each with base weights of its own, adapters shared out among them. */
export interface InstancesSchedule extends CommonOptions {
  readonly type: 'instances';
  /** Instances that share a device; `auto` is as many as memory holds and adapters need. */
  readonly count: 'auto' | number;
  /** Devices of one instance; `auto` is all. With fewer, instances also stand beside each other. */
  readonly devices: 'auto' | number;
}

export type Schedule =
  | BarrierSchedule
  | InterleavedSchedule
  | ZeroBubbleSchedule
  | LorappSchedule
  | SingleSchedule
  | DataParallelSchedule
  | FsdpSchedule
  | TensorParallelSchedule
  | InstancesSchedule;
export type ScheduleName = Schedule['type'];
/** The schedule of a type. */
export type ScheduleOf<T extends ScheduleName, S = Schedule> = S extends Schedule ? (T extends S['type'] ? S : never) : never;

export const SCHEDULE_NAMES = [
  'gpipe',
  '1f1b',
  'interleaved',
  'zb-h1',
  'zb-v',
  'lorapp',
  'single',
  'data-parallel',
  'fsdp',
  'tensor-parallel',
  'instances',
] as const satisfies readonly ScheduleName[];

/** Ranks that share the rows of a mini-batch among them; 1 where one device or one pipeline has them all. */
export const ranksOf = (schedule: Schedule, deviceCount: number): number =>
  schedule.type === 'data-parallel' || schedule.type === 'fsdp' ? deviceCount : 1;

/** How a job's mini-batches are cut. */
export interface MinibatchCut {
  readonly batchSize: number;
  /** Pieces of a mini-batch, over all ranks. */
  readonly microbatches: number;
}

/** Size and pieces of the mini-batches that a schedule makes of a job's batch size. */
export const cutOf = (schedule: Schedule, deviceCount: number, batchSize: number): MinibatchCut => {
  const ranks = ranksOf(schedule, deviceCount);
  const perRank = 'batch' in schedule && schedule.batch === 'perRank';
  return { batchSize: perRank ? ranks * batchSize : batchSize, microbatches: ranks * schedule.microbatches };
};

/** Stages with layers that one pipeline of a schedule has; the ranks of the other schedules choose their own. */
export const pipelineStages = (schedule: Schedule, deviceCount: number): number => {
  switch (schedule.type) {
    case 'gpipe':
    case '1f1b':
    case 'zb-h1':
    case 'lorapp':
      return deviceCount;
    case 'interleaved':
      return schedule.chunks * deviceCount;
    case 'zb-v':
      return 2 * deviceCount;
    case 'instances':
      return schedule.devices === 'auto' ? deviceCount : schedule.devices;
    case 'single':
    case 'data-parallel':
    case 'fsdp':
    case 'tensor-parallel':
      return 1;
    default:
      return assertNever(schedule);
  }
};

/** How the ranks of a schedule share the model's weights. */
export const sharingOf = (schedule: Schedule, deviceCount: number): Sharing => {
  switch (schedule.type) {
    case 'fsdp':
      return { kind: 'sharded', ranks: deviceCount, unit: schedule.unit, fp32: schedule.gatherFp32 };
    case 'tensor-parallel':
      return { kind: 'tensor', ranks: deviceCount, collectives: schedule.collectives };
    default:
      return WHOLE;
  }
};
