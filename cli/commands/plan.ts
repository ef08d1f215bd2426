import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { formatPlanFile } from '../../core/experiment/plan-file-text.ts';
import { assertNever } from '../../core/never.ts';
import { formatViolations } from '../../core/plan/grid.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { checkOrder, formatPytorchCsv, readPytorchCsv } from '../../core/plan/pytorch-csv.ts';
import { formatPlan } from '../../core/plan/text.ts';
import { validate } from '../../core/plan/validate.ts';
import type { PipelineOrder } from '../../core/planners/pipeline-orders.ts';
import { problem, type Problems } from '../../core/problem.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { badFiles, badInput, doesNotFit, type Failure } from '../failure.ts';
import { asSeenFrom, readText } from '../../exec/run/open-experiment.ts';
import type { PLAN_FORMATS } from '../plan-formats.ts';
import { openProfiled, type ProfiledExperiment, type ProfileFlags } from '../profile-option.ts';

export interface PlanFlags extends ProfileFlags {
  /** The same as `--format text`. */
  readonly text?: boolean;
  readonly format: (typeof PLAN_FORMATS)[number];
  /** CSV of a PyTorch pipelining schedule, whose order of passes the plan takes. */
  readonly order?: string;
}

/** `mlora plan`: prints the plan as a file that `mlora simulate` reads, as lines of tokens, or as PyTorch's CSV. */
export const planCommand = (path: string, flags: PlanFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openProfiled(path, flags),
    TE.chain((open) =>
      pipe(
        flags.order === undefined ? TE.fromEither(planOf(open)) : planInOrderOf(flags.order, open),
        TE.chainEitherK((plan) => pipe(format(open.experiment, plan, flags), E.mapLeft((problems) => badInput(path, problems)))),
      ),
    ),
    TE.map((output) => void process.stdout.write(output.endsWith('\n') ? output : `${output}\n`)),
  );

const planOf = ({ experiment, options }: ProfiledExperiment, order?: PipelineOrder): E.Either<Failure, Plan> =>
  pipe(
    planExperiment(experiment, { ...options, ...(order === undefined ? {} : { order }) }),
    E.bimap(doesNotFit, ({ plan }) => plan),
  );

/** Schedules whose mini-batches are pipelines in a fixed order. */
const ORDERED: readonly string[] = ['gpipe', '1f1b', 'interleaved', 'zb-h1', 'zb-v'];

/** The plan with the order of a file, which has to suit the placement of the experiment's own schedule and break no rule. */
const planInOrderOf = (file: string, open: ProfiledExperiment): TE.TaskEither<Failure, Plan> =>
  pipe(
    readText(file),
    TE.mapLeft(badFiles),
    TE.chainEitherK((text) =>
      pipe(
        readPytorchCsv(text),
        E.chainFirst(() => checkSchedule(open.experiment)),
        E.mapLeft((problems) => badInput(file, problems)),
        E.chain((order) => inPlace(file, order, open)),
      ),
    ),
  );

const checkSchedule = ({ schedule }: Experiment): E.Either<Problems, null> =>
  ORDERED.includes(schedule.type) ? E.right(null) : E.left([problem('', `is an order for a pipeline with a barrier; the experiment's schedule is ${schedule.type}, expected one of ${ORDERED.join(', ')}`)]);

const inPlace = (file: string, order: PipelineOrder, open: ProfiledExperiment): E.Either<Failure, Plan> =>
  pipe(
    planOf(open),
    E.chainFirst((own) => pipe(checkOrder(order, own), E.mapLeft((problems) => badInput(file, problems)))),
    E.chain(() => planOf(open, order)),
    E.chain((plan) => {
      const violations = validate(plan);
      return violations.length === 0
        ? E.right(plan)
        : E.left(badInput(file, [problem('', `makes a plan that breaks ${violations.length} rules\n${formatViolations(plan, violations)}`)]));
    }),
  );

const format = (experiment: Experiment, plan: Plan, flags: PlanFlags): E.Either<Problems, string> => {
  const name = flags.text === true ? 'text' : flags.format;
  switch (name) {
    case 'json':
      return E.right(formatPlanFile({ experiment: asSeenFrom('.', experiment), plan }));
    case 'text':
      return E.right(formatPlan(plan));
    case 'pytorch-csv':
      return formatPytorchCsv(plan);
    default:
      return assertNever(name);
  }
};
