import { dirname } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { CostModel } from '../core/cost-model.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import type { Plan } from '../core/plan/plan.ts';
import type { PlanError } from '../core/planners/plan-error.ts';
import type { PlanRequest } from '../core/planners/plan-schedule.ts';
import { readText } from '../exec/run/open-experiment.ts';
import { calibrateLinks } from '../sim/calibrated-cluster.ts';
import { costOfExperiment, planExperiment } from '../sim/plan-experiment.ts';
import { noteExtrapolations } from './extrapolation-notes.ts';
import { badFiles, badInput, doesNotFit, type Failure } from './failure.ts';
import { readPlanFile } from './plan-file.ts';
import { openProfile, openProfiled, profileOption, type ProfileFlags } from './profile-option.ts';

/** A plan and what its ops cost. */
export interface PricedPlan {
  readonly experiment: Experiment;
  readonly plan: Plan;
  readonly cost: CostModel;
  /** What the plan was made from; null for a plan that was read from a file. */
  readonly request: PlanRequest | null;
}

export interface PricedPlanFlags extends ProfileFlags {
  /** Told of a plan that does not fit, before that becomes a failure. */
  readonly onMisfit?: (schedule: string, error: PlanError) => void;
}

/** Plans an experiment, or reads a plan that `mlora plan` printed. */
export const openPricedPlan = (path: string, flags: PricedPlanFlags): TE.TaskEither<Failure, PricedPlan> =>
  path.endsWith('.json')
    ? pipe(
        readText(path),
        TE.mapLeft(badFiles),
        TE.chain((text) => pricePlanFile(path, text, flags)),
      )
    : planFromExperiment(path, flags);

const planFromExperiment = (path: string, flags: PricedPlanFlags): TE.TaskEither<Failure, PricedPlan> =>
  pipe(
    openProfiled(path, flags),
    TE.chainEitherK(({ experiment, options }) =>
      pipe(
        planExperiment(experiment, options),
        E.bimap(
          (error) => {
            flags.onMisfit?.(experiment.schedule.type, error);
            return doesNotFit(error);
          },
          ({ plan, cost, workload }) => {
            noteExtrapolations(experiment, plan, options);
            const { schedule, cluster } = experiment;
            return { experiment, plan, cost, request: { workload, schedule, cluster, stages: plan.stages, cost } };
          },
        ),
      ),
    ),
  );

/** The plan that a file's text is, priced with the experiment it holds and the profile, if there is one. */
export const pricePlanFile = (path: string, text: string, flags: ProfileFlags): TE.TaskEither<Failure, PricedPlan> =>
  pipe(
    openProfile(flags),
    TE.bindTo('profile'),
    TE.bind('file', () => TE.fromEither(pipe(readPlanFile(text, dirname(path)), E.mapLeft((problems) => badInput(path, problems))))),
    TE.map(({ profile, file }) => {
      const experiment = { ...file.experiment, cluster: calibrateLinks(file.experiment.cluster, profile) };
      const { profileOf } = profileOption(profile);
      noteExtrapolations(experiment, file.plan, profileOption(profile));
      return { experiment, plan: file.plan, cost: costOfExperiment(experiment, file.plan.stages, profileOf), request: null };
    }),
  );
