import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Experiment } from '../../../core/experiment/experiment.ts';
import { countIterations } from '../../../core/experiment/build-workload.ts';
import { resolveExperiment } from '../../../core/experiment/read.ts';
import type { Plan } from '../../../core/plan/plan.ts';
import { formatPlanError } from '../../../core/planners/plan-error.ts';
import { problem, type Problems } from '../../../core/problem.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { formatDeadlock } from '../../../sim/engine/deadlock.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { planExperiment } from '../../../sim/plan-experiment.ts';
import { experimentValue, type Setup } from './setup.ts';

export interface Planned {
  readonly experiment: Experiment;
  readonly plan: Plan;
  readonly trace: Trace;
}

/** Why there is no picture: the form has impossible values, or the schedule cannot run them. */
export type Refusal =
  | { readonly kind: 'problems'; readonly problems: Problems }
  | { readonly kind: 'cannotRun'; readonly message: string };

/** A browser holds a few million spans; longer runs are for the command line. */
const MOST_OPS = 4_000_000;

const noFiles = (): never => {
  throw new Error('the page knows no files');
};

/** Roughly how many ops a plan will have: both passes and their transfers on every stage. */
const estimateOps = ({ jobs, schedule, cluster }: Experiment): number => {
  const iterations = jobs.reduce((sum, job) => sum + (job.data.kind === 'synthetic' ? countIterations(job, job.data.rows) : 0), 0);
  return iterations * cluster.devices.length * (6 * schedule.microbatches + 1);
};

const checkSize = (experiment: Experiment): E.Either<Problems, Experiment> => {
  const ops = estimateOps(experiment);
  return ops <= MOST_OPS
    ? E.right(experiment)
    : E.left([problem('jobs', `have about ${ops.toLocaleString('en')} ops together; the page draws up to ${MOST_OPS.toLocaleString('en')}, \`mlora simulate\` any number`)]);
};

const run = (experiment: Experiment): E.Either<Refusal, Planned> =>
  pipe(
    planExperiment(experiment, { files: { rowCount: noFiles, part: noFiles, heldout: noFiles } }),
    E.mapLeft((error): Refusal => ({ kind: 'cannotRun', message: formatPlanError(error) })),
    E.chain(({ plan, cost }) =>
      pipe(
        simulate(plan, cost, experiment.cluster),
        E.bimap(
          (deadlock): Refusal => ({ kind: 'cannotRun', message: formatDeadlock(deadlock) }),
          (trace): Planned => ({ experiment, plan, trace }),
        ),
      ),
    ),
  );

/** Plans and simulates one of a setup's schedules, with the same planner and simulator as the command line. */
export const planSetup = (setup: Setup, variant: string): E.Either<Refusal, Planned> =>
  pipe(
    resolveExperiment(experimentValue(setup, variant), {
      readModelConfig: () => E.left([problem('', 'the page reads no folders; choose a model from the list')]),
    }),
    E.chain(checkSize),
    E.mapLeft((problems): Refusal => ({ kind: 'problems', problems })),
    E.chain(run),
  );
