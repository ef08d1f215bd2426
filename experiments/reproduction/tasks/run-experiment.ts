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
import { GIGA } from '../../../core/units.ts';
import type { DeviceProfile } from '../../../sim/device-profile.ts';
import { formatDeadlock } from '../../../sim/engine/deadlock.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { planExperiment } from '../../../sim/plan-experiment.ts';
import { profileOf } from '../../../sim/profiles/gpu-profiles.ts';
import { blockTransfers } from './block-transfers.ts';

/** The content of an experiment file. */
export type ExperimentContent = Readonly<Record<string, unknown>> & { readonly defaults: Readonly<Record<string, unknown>> & { readonly iterations: number } };

/** An experiment and what its file cannot say. */
export interface RunSettings {
  readonly experiment: ExperimentContent;
  /** Replaces the profile's share of the fp32 peak that products and attention reach. */
  readonly fp32Efficiency: number;
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
export const runExperiment = ({ experiment: content, fp32Efficiency, transfers }: RunSettings, iterations: number): E.Either<string, Run> => {
  const experiment = openContent({ ...content, defaults: { ...content.defaults, iterations } });
  const profile = profileWith(fp32Efficiency);
  return pipe(
    planExperiment(experiment, { files: NO_FILES, profileOf: profile }),
    E.mapLeft(({ device, memoryClass, requiredBytes, capacityBytes }) => missing(device, memoryClass, requiredBytes - capacityBytes)),
    E.chain(({ plan, cost }) => runPlan(plan, cost, experiment.cluster, transfers)),
  );
};

/** The experiment of a file's content; throws where it is not a valid one, which is a mistake of ours. */
export const openContent = (content: unknown): Experiment => {
  const experiment = resolveExperiment(content, {
    readModelConfig: () => E.left([problem('model', 'is a folder; the paper’s models are presets')]),
  });
  if (E.isLeft(experiment)) throw new Error(formatProblems('experiment', experiment.left));
  return experiment.right;
};

/** The shipped profiles at another share of the fp32 peak. */
export const profileWith =
  (fp32Efficiency: number) =>
  (gpu: Gpu): DeviceProfile => {
    const profile = profileOf(gpu);
    if (profile.kind !== 'roofline') return profile;
    const fp32 = { ...profile.gemmEfficiency.fp32, value: fp32Efficiency };
    return {
      ...profile,
      gemmEfficiency: { ...profile.gemmEfficiency, fp32 },
      attentionEfficiency: { ...profile.attentionEfficiency, fp32 },
    };
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
