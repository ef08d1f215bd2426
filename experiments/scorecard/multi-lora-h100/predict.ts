import { simulateTask } from '../../reproduction/tasks/simulate.ts';

/** Lognormal lengths of rows, in tokens. */
export interface Lengths {
  readonly mean: number;
  readonly sigma: number;
}

export const SYSTEMS = ['fsdp', '1f1b', 'lorapp'] as const;
export type MixSystem = (typeof SYSTEMS)[number];

export interface MixRun {
  readonly mix: string;
  readonly system: MixSystem;
  /** Lengths of each job's rows. */
  readonly jobs: readonly Lengths[];
}

const BATCH = 16;
/** Rows of a microbatch (per_device_train_batch_size in the scripts for 32B). */
const ROWS = 4;
const GPUS = 2;
const LONGEST = 4096;
const ITERATIONS = 6;
const MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const SCHEDULES: Readonly<Record<MixSystem, Readonly<Record<string, unknown>>>> = {
  fsdp: { type: 'fsdp', microbatches: BATCH / ROWS / GPUS },
  '1f1b': { type: '1f1b', microbatches: BATCH / ROWS },
  // An adapter each, as mLoRA runs no more than fit; BatchLoRA would merge four into two groups.
  lorapp: { type: 'lorapp', microbatches: BATCH / ROWS, groups: 4 },
};

const NVLINK = { type: 'nvlink', bandwidth: '450 GB/s', latency: '11.8 us' };

/** Planned and simulated on two H100; rows of a job keep their drawn order in every system. */
export const predictMix = ({ system, jobs }: MixRun): { readonly tokensPerSecond: number } => {
  const result = simulateTask({
    kind: 'simulate',
    experiment: {
      name: system,
      model: 'Qwen2.5-32B',
      precision: 'bf16',
      attention: 'flash',
      elementwise: 'eager',
      cluster: { name: 'two H100', machines: [{ gpu: 'H100', count: GPUS, interconnect: NVLINK }] },
      schedule: { ...SCHEDULES[system], recompute: 'full' },
      defaults: { adapter: { rank: 16, dropout: 0.1, targetModules: MODULES }, batchSize: BATCH, iterations: ITERATIONS },
      jobs: jobs.map((lengths, index) => ({
        name: `job-${index + 1}`,
        seed: index + 1,
        data: { lengths: { type: 'lognormal', ...lengths, maximum: LONGEST }, rows: 2000 },
      })),
    },
    software: 'shipped',
    launchMicroseconds: null,
    loads: 'shard',
    transfers: 'overlapped',
  });
  return { tokensPerSecond: result.kind === 'ran' ? result.tokensPerSecond : 0 };
};
