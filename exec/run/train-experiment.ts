import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { CostModel } from '../../core/cost-model.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { planEvaluation } from '../../core/planners/evaluation.ts';
import type { ExecError } from '../exec-error.ts';
import { evaluationWorkload, type TrainJob } from './train-job.ts';
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

type Settings = Pick<TrainOptions, 'backend' | 'outputFolder' | 'ranks' | 'onProgress'>;

/** Trains a planned experiment on its cluster's devices, with evaluation before and after where there are held-out rows. */
export const trainExperiment = (
  { experiment, modelFolder, trainJobs, plan, cost }: TrainableExperiment,
  settings: Settings,
): TaskEither<ExecError, TrainResult> => {
  const heldout = evaluationWorkload(trainJobs);
  return train({
    plan,
    evaluation: heldout.length === 0 ? null : planEvaluation(plan, heldout, cost),
    jobs: trainJobs,
    model: experiment.model,
    modelFolder,
    capacityBytes: experiment.cluster.devices.map(({ gpu }) => gpu.memoryBytes),
    ...settings,
  });
};
