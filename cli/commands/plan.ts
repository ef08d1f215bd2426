import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatPlanFile } from '../../core/experiment/plan-file-text.ts';
import { formatPlan } from '../../core/plan/text.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { doesNotFit, type Failure } from '../failure.ts';
import { asSeenFrom } from '../../exec/run/open-experiment.ts';
import { openProfiled, type ProfileFlags } from '../profile-option.ts';

export interface PlanFlags extends ProfileFlags {
  readonly text?: boolean;
}

/** `mlora plan`: prints the plan as a file that `mlora simulate` reads, or as lines of tokens. */
export const planCommand = (path: string, flags: PlanFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openProfiled(path, flags),
    TE.chainEitherK(({ experiment, options }) =>
      pipe(
        planExperiment(experiment, options),
        E.bimap(doesNotFit, ({ plan }) => (flags.text === true ? formatPlan(plan) : formatPlanFile({ experiment: asSeenFrom('.', experiment), plan }))),
      ),
    ),
    TE.map((output) => void process.stdout.write(`${output}\n`)),
  );
