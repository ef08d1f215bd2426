/** What a live run is told of its pipeline: stages, and predicted costs of whatever jobs come. */
import { undisturbedTransferNs } from '../core/cluster/route.ts';
import type { Gpu } from '../core/cluster/cluster.ts';
import type { CostModel } from '../core/cost-model.ts';
import type { Job } from '../core/job.ts';
import type { StagePlacement } from '../core/plan/plan.ts';
import { nanoseconds } from '../core/units.ts';
import type { DeviceProfile } from './device-profile.ts';
import { costOfExperiment, placeStages, type PricedSetting } from './plan-experiment.ts';

export interface LivePipeline {
  readonly devices: readonly string[];
  readonly stages: readonly StagePlacement[];
  readonly capacityBytes: readonly number[];
  readonly costs: {
    /** Adapter i is `jobs[i]`. */
    readonly costOf: (jobs: readonly Job[]) => CostModel;
    readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
  };
}

/** Rows that stages are balanced for when nothing is known of the jobs that will come. */
const TYPICAL = { rows: 4, tokens: 4 * 128, squaredTokens: 4 * 128 * 128 };

const TYPICAL_JOB: Job = {
  name: 'typical',
  adapter: { type: 'lora', rank: 8, alpha: 16, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
  data: { kind: 'synthetic', lengths: { type: 'fixed', length: 128 }, rows: 4 },
  batchSize: 4,
  duration: { kind: 'iterations', iterations: 1 },
  optimizer: { type: 'adamw', learningRate: 1e-3, learningRateRatio: 1, maxGradientNorm: null, schedule: { type: 'constant', warmup: 0 }, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  evaluate: null,
  seed: 0,
  priority: 0,
  arrivalNs: nanoseconds(0),
};

/** A pipeline over all devices of the cluster, in their order. */
export const livePipeline = (setting: Omit<PricedSetting, 'jobs'>, profileOf?: (gpu: Gpu) => DeviceProfile): LivePipeline => {
  const { cluster } = setting;
  const costWith = (jobs: readonly Job[], stages: readonly StagePlacement[]): CostModel => costOfExperiment({ ...setting, jobs }, stages, profileOf);
  const stages = placeStages({ ...setting, jobs: [TYPICAL_JOB] }, (placed) => costWith([TYPICAL_JOB], placed), { parts: [{ adapter: 0, ...TYPICAL }] });
  return {
    devices: cluster.devices.map(({ name }) => name),
    stages,
    capacityBytes: cluster.devices.map(({ gpu }) => gpu.memoryBytes),
    costs: {
      costOf: (jobs) => costWith(jobs, stages),
      transferNs: (from, to, bytes) => undisturbedTransferNs(cluster, stages[from]!.device, stages[to]!.device, bytes),
    },
  };
};
