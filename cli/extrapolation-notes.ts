import type { Experiment } from '../core/experiment/experiment.ts';
import type { Plan } from '../core/plan/plan.ts';
import { extrapolationsOfPlan, type PlanExperimentOptions } from '../sim/plan-experiment.ts';

/** Says on the error stream where a prediction goes beyond what was measured. */
export const noteExtrapolations = (experiment: Experiment, plan: Plan, { profileOf }: Pick<PlanExperimentOptions, 'profileOf'>): void => {
  for (const sentence of extrapolationsOfPlan(experiment, plan, profileOf)) process.stderr.write(`mlora: extrapolated: ${sentence}\n`);
};
