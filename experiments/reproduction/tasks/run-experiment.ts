import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Cluster, Gpu } from '../../../core/cluster/cluster.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import type { FileSizes } from '../../../core/experiment/build-workload.ts';
import type { Experiment } from '../../../core/experiment/experiment.ts';
import { resolveExperiment } from '../../../core/experiment/read.ts';
import type { Plan } from '../../../core/plan/plan.ts';
import { formatProblems, problem } from '../../../core/problem.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { GIGA, NS_PER_US } from '../../../core/units.ts';
import type { DeviceProfile } from '../../../sim/device-profile.ts';
import { formatDeadlock } from '../../../sim/engine/deadlock.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { costOfExperiment, planExperiment } from '../../../sim/plan-experiment.ts';
import { MLORA_RELEASED_PROFILE, profileOf } from '../../../sim/profiles/gpu-profiles.ts';
import { blockTransfers } from './block-transfers.ts';

/** The content of an experiment file. */
export type ExperimentContent = Readonly<Record<string, unknown>> & { readonly defaults: Readonly<Record<string, unknown>> & { readonly iterations: number } };

/** An experiment and what its file cannot say. */
export interface RunSettings {
  readonly experiment: ExperimentContent;
  /** `releasedPipeline`: devices under the pipeline released with the paper, whose messages cost time in every pass. */
  readonly software: 'shipped' | 'releasedPipeline';
  /** Launch of a kernel; null: as the profile has it. */
  readonly launchMicroseconds: number | null;
  /** `wholeModel`: every device holds all weights for a moment before it keeps its share. */
  readonly loads: 'shard' | 'wholeModel';
  /** `blocking`: compute waits while a stage sends or receives. */
  readonly transfers: 'overlapped' | 'blocking';
}

const noRows = (): never => {
  throw new Error('the experiments of the paper have lengths, not files');
};

const NO_FILES: FileSizes = { rowCount: () => 0, part: noRows, heldout: noRows };

/** A simulated run that fits. */
export interface Run {
  readonly trace: Trace;
  readonly blockedNs: (trace: Trace) => number;
}

/** Plans and simulates so many iterations of each job. Left: what does not fit where. */
export const runExperiment = ({ experiment: content, software, launchMicroseconds, loads, transfers }: RunSettings, iterations: number): E.Either<string, Run> => {
  const experiment = openContent({ ...content, defaults: { ...content.defaults, iterations } });
  const unloadable = loads === 'wholeModel' ? findUnloadable(experiment) : null;
  if (unloadable !== null) return E.left(unloadable);
  return pipe(
    planExperiment(experiment, { files: NO_FILES, profileOf: (gpu) => withLaunch(PROFILES[software](gpu), launchMicroseconds) }),
    E.mapLeft(({ device, memoryClass, requiredBytes, capacityBytes }) => missing(device, memoryClass, requiredBytes - capacityBytes)),
    E.chain(({ plan, cost }) => runPlan(plan, cost, experiment.cluster, transfers)),
  );
};

/** Weights that are on one device, not shared out. */
const WHOLE = { type: 'single', microbatches: 1, groups: 'auto', recompute: 'none' } as const;

/** The first device that cannot hold all weights of the model beside its context. */
const findUnloadable = (experiment: Experiment): string | null => {
  const { model, cluster } = experiment;
  const cost = costOfExperiment({ ...experiment, schedule: WHOLE }, [{ device: 0, firstLayer: 0, endLayer: model.layerCount }]);
  const { baseWeights, context } = cost.residentBytes(0);
  const device = cluster.devices.find(({ gpu }) => gpu.memoryBytes < baseWeights + context);
  return device === undefined ? null : missing(device.name, 'baseWeights while loading', baseWeights + context - device.gpu.memoryBytes);
};

/** The experiment of a file's content; throws where it is not a valid one, which is a mistake of ours. */
export const openContent = (content: unknown): Experiment => {
  const experiment = resolveExperiment(content, {
    readModelConfig: () => E.left([problem('model', 'is a folder; the paper’s models are presets')]),
  });
  if (E.isLeft(experiment)) throw new Error(formatProblems('experiment', experiment.left));
  return experiment.right;
};

/** What a processor reaches under a software. */
export const PROFILES: Readonly<Record<RunSettings['software'], (gpu: Gpu) => DeviceProfile>> = {
  shipped: profileOf,
  releasedPipeline: (gpu) => {
    const profile = profileOf(gpu);
    return profile.kind === 'roofline' ? { ...profile, perPassNs: MLORA_RELEASED_PROFILE.perPassNs } : profile;
  },
};

const withLaunch = (profile: DeviceProfile, microseconds: number | null): DeviceProfile => {
  if (microseconds === null || profile.kind !== 'roofline') return profile;
  const perKernelNs = { ...profile.launch.perKernelNs, value: microseconds * NS_PER_US };
  return { ...profile, launch: { ...profile.launch, perKernelNs } };
};

const runPlan = (plan: Plan, cost: CostModel, cluster: Cluster, transfers: RunSettings['transfers']): E.Either<string, Run> => {
  const run = transfers === 'blocking' ? blockTransfers(plan, cost, cluster) : { cost, cluster, blockedNs: () => 0 };
  const trace = simulate(plan, run.cost, run.cluster);
  if (E.isLeft(trace)) throw new Error(formatDeadlock(trace.left));
  const { outOfMemory, devices } = trace.right;
  return outOfMemory === null
    ? E.right({ trace: trace.right, blockedNs: run.blockedNs })
    : E.left(missing(devices[outOfMemory.device]!.name, outOfMemory.memoryClass, outOfMemory.missingBytes));
};

const missing = (device: string, memoryClass: string, bytes: number): string =>
  `${device} lacks ${(bytes / GIGA).toFixed(1)} GB for ${memoryClass}`;
