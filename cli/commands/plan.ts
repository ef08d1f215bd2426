import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatPlan } from '../../core/plan/text.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { badFiles, doesNotFit, type Failure } from '../failure.ts';
import { asSeenFrom, openExperiment } from '../../exec/run/open-experiment.ts';
import { formatPlanFile } from '../plan-file.ts';

export interface PlanFlags {
  readonly text?: boolean;
}

/** `mlora plan`: prints the plan as a file that `mlora simulate` reads, or as lines of tokens. */
export const planCommand = (path: string, { text }: PlanFlags): TE.TaskEither<Failure, void> =>
  pipe(
    pipe(openExperiment(path), TE.mapLeft(badFiles)),
    TE.chainEitherK(({ experiment, files }) =>
      pipe(
        planExperiment(experiment, { files }),
        E.bimap(doesNotFit, ({ plan }) => (text === true ? formatPlan(plan) : formatPlanFile({ experiment: asSeenFrom('.', experiment), plan }))),
      ),
    ),
    TE.map((output) => void process.stdout.write(`${output}\n`)),
  );
