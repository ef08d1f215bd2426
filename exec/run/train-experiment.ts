import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { CostModel } from '../../core/cost-model.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { planEvaluation } from '../../core/planners/evaluation.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { planSchedule } from '../../core/planners/plan-schedule.ts';
import type { ExecError } from '../exec-error.ts';
import { requestDevices } from './devices.ts';
import { fingerprintJobs } from './job-fingerprint.ts';
import { iterationsDone, type JobProgress } from './job-records.ts';
import { readJobProgress } from './read-progress.ts';
import { evaluationWorkload, remainingWorkload, type TrainJob } from './train-job.ts';
import { train } from './train.ts';
import type { TrainOptions, TrainResult } from './train-options.ts';

/** A planned experiment whose jobs have rows; `cost` is what it was planned with. */
export interface TrainableExperiment {
  readonly experiment: Experiment;
  readonly modelFolder: string;
  readonly trainJobs: readonly TrainJob[];
  readonly plan: Plan;
  readonly cost: CostModel;
}

interface Settings extends Pick<TrainOptions, 'backend' | 'outputFolder' | 'ranks' | 'neededBytes' | 'onProgress'> {
  /** Where an earlier run has left each job; absent: this run starts afresh. */
  readonly progress?: readonly JobProgress[];
}

/** Plan of what is left of the jobs, on the stages of the experiment's own plan. It fits where that fits. */
export const planRemainder = (
  { experiment, trainJobs, plan, cost }: TrainableExperiment,
  firstIterations: readonly number[],
): Plan => {
  const workload = remainingWorkload(trainJobs, firstIterations);
  const { schedule, cluster } = experiment;
  const planned = planSchedule({ workload, schedule, cluster, stages: plan.stages, cost });
  if (E.isLeft(planned)) throw new Error(formatPlanError(planned.left));
  return planned.right;
};

const optionsOf = (trainable: TrainableExperiment, settings: Settings, fingerprints: readonly string[]): TrainOptions => {
  const { experiment, modelFolder, trainJobs, plan, cost } = trainable;
  const heldout = evaluationWorkload(trainJobs);
  const { progress } = settings;
  return {
    plan: progress === undefined ? plan : planRemainder(trainable, progress.map(iterationsDone)),
    planFrom: (firstIterations) => planRemainder(trainable, firstIterations),
    evaluation: heldout.length === 0 ? null : planEvaluation(plan, heldout, cost),
    jobs: trainJobs,
    model: experiment.model,
    modelFolder,
    capacityBytes: experiment.cluster.devices.map(({ gpu }) => gpu.memoryBytes),
    devices: requestDevices(experiment.clusterDescription),
    checkpoints: { ...experiment.checkpoint, fingerprints },
    ...settings,
  };
};

const identify = ({ trainJobs, experiment, modelFolder }: TrainableExperiment): TE.TaskEither<ExecError, readonly string[]> =>
  pipe(
    () => fingerprintJobs(trainJobs, experiment.model, modelFolder),
    TE.mapLeft((problems): ExecError => ({ kind: 'badInput', files: [{ file: modelFolder, problems }] })),
  );

/** Trains a planned experiment on its cluster's devices, with evaluation before and after where there are held-out rows. */
export const trainExperiment = (trainable: TrainableExperiment, settings: Settings): TE.TaskEither<ExecError, TrainResult> =>
  pipe(
    identify(trainable),
    TE.chain((fingerprints) => train(optionsOf(trainable, settings, fingerprints))),
  );

/** How far the run in `outputFolder` has brought each job. Left: checkpoints that are broken or of another experiment; those of jobs that are `leftOut` stay unread. */
export const readProgress = (
  trainable: TrainableExperiment,
  outputFolder: string,
  leftOut: readonly string[] = [],
): TE.TaskEither<ExecError, readonly JobProgress[]> =>
  pipe(
    identify(trainable),
    TE.chain((fingerprints) => () => readJobProgress(trainable.trainJobs, outputFolder, fingerprints, leftOut)),
  );
