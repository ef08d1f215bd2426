import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import type { Gpu } from '../core/cluster/cluster.ts';
import { undisturbedTransferNs } from '../core/cluster/route.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import type { Job } from '../core/job.ts';
import { problem, type Problem, type Problems } from '../core/problem.ts';
import { makePolicy, type PolicyName } from '../core/scheduler/policy.ts';
import { NS_PER_S } from '../core/units.ts';
import type { MicrobatchShape } from '../core/plan/plan.ts';
import type { BackendName } from '../exec/backend/backend.ts';
import type { LiveRunOptions } from '../exec/live/live-run.ts';
import { checkTrainable } from '../exec/run/trainable-schedule.ts';
import type { DeviceProfile } from '../sim/device-profile.ts';
import { costOfExperiment, placeStages } from '../sim/plan-experiment.ts';

export interface LiveChoices {
  readonly policy: PolicyName;
  /** Most jobs at once. */
  readonly slots: number;
  readonly backend: BackendName | 'auto';
  /** Of all devices, instead of those that ship with the project. */
  readonly profile: DeviceProfile | null;
  /** No job's iterations may take longer than this many times what they take alone; null: they may. */
  readonly maximumSlowdown: number | null;
}

/** What a server's run needs of an experiment without jobs. */
export type LiveSetup = Omit<LiveRunOptions, 'folder' | 'onEvent'>;

/** A user's quantum and what waiting is worth, as in cluster files. */
const QUANTUM_NS = 600 * NS_PER_S;
const LEVEL_NS = 3600 * NS_PER_S;

/** What the dashboard's timeline reaches back. */
const TRACE_OPS = 3000;

/** Stages are cut before any job is there: by what a common adapter on usual rows costs. */
const typicalJob = (experiment: Experiment): { readonly job: Pick<Job, 'adapter' | 'optimizer'>; readonly shape: MicrobatchShape } => {
  const length = Math.min(256, experiment.model.maxPositions);
  const rows = Math.max(1, Math.round(8 / experiment.schedule.microbatches));
  return {
    job: {
      adapter: { type: 'lora', rank: 8, alpha: 16, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
      optimizer: {
        type: 'adamw', learningRate: 1e-3, learningRateRatio: 1, maxGradientNorm: null, schedule: { type: 'constant', warmup: 0 },
        beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01,
      },
    },
    shape: { parts: [{ adapter: 0, rows, tokens: rows * length, squaredTokens: rows * length * length }] },
  };
};

const checkServable = ({ schedule, modelSource }: Experiment): Problem[] => [
  ...(modelSource.kind === 'preset' ? [problem('model', 'is a preset, which has no weights; a server needs a model folder')] : []),
  ...(schedule.type === 'lorapp' ? checkTrainable(schedule) : [problem('schedule.type', `is ${schedule.type}; a server runs lorapp, in which jobs come and go`)]),
];

/** The run of a server on an experiment without jobs. Left: what of the experiment a server cannot do. */
export const liveSetupOf = (experiment: Experiment, { policy, slots, backend, profile, maximumSlowdown }: LiveChoices): E.Either<Problems, LiveSetup> => {
  const wrong = checkServable(experiment);
  if (isNonEmpty(wrong)) return E.left(wrong);
  const { cluster, model, modelSource, schedule, checkpoint } = experiment;
  const profileOf = profile === null ? undefined : (_gpu: Gpu): DeviceProfile => profile;
  const withJobs = (jobs: readonly Pick<Job, 'adapter' | 'optimizer'>[]): Experiment => ({ ...experiment, jobs: jobs as readonly Job[] });
  const { job, shape } = typicalJob(experiment);
  const stages = placeStages(withJobs([job]), (each) => costOfExperiment(withJobs([job]), each, profileOf), shape);
  return E.right({
    model,
    modelFolder: modelSource.kind === 'folder' ? modelSource.path : '',
    backend,
    devices: cluster.devices.map(({ name }) => name),
    stages,
    capacityBytes: cluster.devices.map(({ gpu }) => gpu.memoryBytes),
    costs: {
      costOf: (jobs) => costOfExperiment(withJobs(jobs), stages, profileOf),
      transferNs: (from, to, bytes) => undisturbedTransferNs(cluster, stages[from]!.device, stages[to]!.device, bytes),
    },
    scheduler: {
      policy: makePolicy(policy, { quantumNs: QUANTUM_NS, levelNs: LEVEL_NS }),
      slots,
      ...(maximumSlowdown === null ? {} : { maximumSlowdown }),
    },
    microbatches: schedule.microbatches,
    checkpoint,
    ranks: 'processes',
    traceOps: TRACE_OPS,
  });
};
