/**
 * The paper's runs as experiment files: section 4.1 says batch 8, length 512, rank 16 on q, k, v, o, fp32; 70B and every
 * run on one GPU hold their weights in 8 bit and recompute activations. What is left open comes from `constants.json`.
 */
import type { PaperConstants } from './constants.ts';
import type { ExperimentContent, RunSettings } from './tasks/run-experiment.ts';
import type { SimulateTask } from './tasks/simulate.ts';

/** The models of the paper by the names it uses. */
export const PAPER_MODELS = { '1.1B': 'TinyLlama-1.1B', '7B': 'Llama-2-7B', '13B': 'Llama-2-13B', '70B': 'Llama-2-70B' } as const;
export type PaperModel = keyof typeof PAPER_MODELS;

/** What was compared. `batchLora` is mLoRA on one GPU, where BatchLoRA is all that is left of it. */
export type PaperSystem = 'lorapp' | '1f1b' | 'fsdp' | 'tensorParallel' | 'peft' | 'batchLora';

export interface PaperRun {
  readonly model: PaperModel;
  readonly system: PaperSystem;
  /** A6000 share one machine, 3090 are one in each machine. */
  readonly gpu: 'A6000' | '3090';
  readonly gpus: number;
  readonly adapters: number;
  /** Default 16. */
  readonly rank?: number;
  /** Where the loss is computed: on the first GPU, as the released code does, or on the last, as the paper says. */
  readonly loss?: 'head' | 'tail';
  /** Default: the fitted number. */
  readonly microbatches?: number;
  /** Default fp32. */
  readonly precision?: 'fp16';
  readonly transfers?: RunSettings['transfers'];
}

/** Iterations of each adapter in the shorter of two runs whose difference is the steady state; one at a time it comes at once. */
const ITERATIONS = { together: 12, oneAtATime: 2 } as const;
const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];

/** Pipelines send through the host; collectives take NCCL's way, whose bandwidth the cluster preset has. */
const isPipeline = ({ system }: PaperRun): boolean => system === 'lorapp' || system === '1f1b';

/** 70B and single GPUs; FSDP's flat parameters and Megatron's shards are floating point, so 70B stays in fp32 there. */
const isQuantised = (run: PaperRun): boolean => (run.model === '70B' && isPipeline(run)) || run.gpus === 1;

/** Adapters one after another take equal steps: one stands for all. */
const isSequential = ({ system }: PaperRun): boolean => system !== 'lorapp' && system !== 'batchLora';

const clusterOf = (run: PaperRun, constants: PaperConstants) => {
  if (run.gpu === '3090') {
    const machine = { gpu: 'RTX 3090', interconnect: { type: 'pcie', bandwidth: '31 GB/s', latency: '14.1 us' } };
    return {
      name: `${run.gpus} machines, one RTX 3090 each`,
      machines: Array.from({ length: run.gpus }, (_, index) => ({ name: `machine${index}`, ...machine })),
      network: { bandwidth: `${constants.networkMegabytesPerSecond} MB/s`, latency: '50 us' },
    };
  }
  const bandwidth = isPipeline(run) ? `${constants.pipelineGigabytesPerSecond} GB/s` : `${constants.collectiveGigabytesPerSecond} GB/s`;
  const interconnect = run.gpus === 1 ? null : { type: 'pcie', bandwidth, latency: '14.1 us' };
  return { name: `${run.gpus} RTX A6000`, machines: [{ gpu: 'RTX A6000', count: run.gpus, interconnect }] };
};

/** BatchLoRA merges adapters from the sixth on (arrow in Fig. 7a); up to there each is a group of its own. */
const groupsOf = ({ adapters }: PaperRun) => (adapters < 6 ? adapters : 'auto');

const scheduleOf = (run: PaperRun, constants: PaperConstants) => {
  const microbatches = run.microbatches ?? constants.microbatches;
  const loss = run.loss ?? (run.gpu === '3090' ? 'head' : constants.loss);
  switch (run.system) {
    case 'lorapp':
      return { type: 'lorapp', microbatches, loss, release: constants.release, groups: groupsOf(run) };
    case '1f1b':
      return { type: '1f1b', microbatches, loss };
    case 'fsdp':
      return { type: 'fsdp', setting: 'released', microbatches: 1, batch: constants.fsdpBatch };
    case 'tensorParallel':
      return { type: 'tensor-parallel', setting: 'released', microbatches: 1 };
    case 'peft':
      return { type: 'single', microbatches: 1 };
    case 'batchLora':
      return { type: 'lorapp', microbatches: 1, groups: 1 };
  }
};

/** The content of the experiment file of a run. */
export const experimentOf = (run: PaperRun, constants: PaperConstants): ExperimentContent => ({
  name: `${run.system} ${run.model} on ${run.gpus} ${run.gpu}`,
  model: PAPER_MODELS[run.model],
  precision: run.precision ?? 'fp32',
  ...(isQuantised(run) ? { baseWeights: 'int8' } : {}),
  cluster: clusterOf(run, constants),
  schedule: { ...scheduleOf(run, constants), ...(isQuantised(run) || run.model === '70B' ? { recompute: 'full' } : {}) },
  defaults: {
    adapter: { rank: run.rank ?? 16, targetModules: TARGETS },
    data: { lengths: { type: 'fixed', length: 512 }, rows: 7473 },
    batchSize: 8,
    iterations: isSequential(run) ? ITERATIONS.oneAtATime : ITERATIONS.together,
  },
  jobs: Array.from({ length: isSequential(run) ? 1 : run.adapters }, (_, index) => ({ name: `adapter-${index + 1}` })),
});

export const taskOf = (run: PaperRun, constants: PaperConstants): SimulateTask => ({
  kind: 'simulate',
  experiment: experimentOf(run, constants),
  // The released FSDP script puts the whole model on every GPU before it shards it.
  loads: run.system === 'fsdp' ? 'wholeModel' : 'shard',
  launchMicroseconds: run.gpus === 1 ? constants.launchMicroseconds : null,
  software: isPipeline(run) ? 'releasedPipeline' : 'shipped',
  transfers: run.transfers ?? 'overlapped',
});
