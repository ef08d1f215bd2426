import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import type { PlanFile } from '../core/experiment/plan-file-text.ts';
import { resolveExperiment } from '../core/experiment/read.ts';
import { planFromJson } from '../core/plan/json.ts';
import { formatViolations } from '../core/plan/grid.ts';
import { validate } from '../core/plan/validate.ts';
import { mapPaths, problem, type Problems } from '../core/problem.ts';
import { isRecord } from '../core/structure.ts';
import { contextOf } from '../exec/run/open-experiment.ts';

/** Reads what `formatPlanFile` wrote; an edited plan that breaks a rule is a problem that shows where. */
export const readPlanFile = (text: string, folder: string): E.Either<Problems, PlanFile> =>
  pipe(
    parseJson(text),
    E.chain((json) =>
      pipe(
        E.Do,
        E.apS('experiment', inside('experiment', resolveExperiment(json.experiment, contextOf(folder)))),
        E.apS('plan', inside('plan', planFromJson(json.plan))),
      ),
    ),
    E.chain(checkPlan),
  );

const parseJson = (text: string): E.Either<Problems, Readonly<Record<string, unknown>>> => {
  try {
    const json: unknown = JSON.parse(text);
    if (isRecord(json)) return E.right(json);
  } catch {
    // Reported below, as any file that is no object.
  }
  return E.left([problem('', 'is no plan file; expected what `mlora plan` prints')]);
};

const inside = <T>(key: string, result: E.Either<Problems, T>): E.Either<Problems, T> =>
  E.mapLeft(mapPaths((path) => (path === '' ? key : `${key}.${path}`)))(result);

const checkPlan = (file: PlanFile): E.Either<Problems, PlanFile> => {
  const violations = validate(file.plan);
  return violations.length === 0
    ? E.right(file)
    : E.left([problem('plan', `breaks ${violations.length} rules\n${formatViolations(file.plan, violations)}`)]);
};
