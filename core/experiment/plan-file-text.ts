import { planToJson } from '../plan/json.ts';
import type { Plan } from '../plan/plan.ts';
import type { Experiment } from './experiment.ts';
import { describeExperiment } from './format.ts';

/** A plan with the experiment whose model, cluster and jobs its ops are priced with. */
export interface PlanFile {
  readonly experiment: Experiment;
  readonly plan: Plan;
}

export const formatPlanFile = ({ experiment, plan }: PlanFile): string =>
  JSON.stringify({ experiment: describeExperiment(experiment), plan: planToJson(plan) }, null, 1);
