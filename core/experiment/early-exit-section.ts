import * as z from 'zod';
import type { Job } from '../job.ts';
import { nonNegativeNumber, wholeNumber } from '../leaves.ts';
import { defaultRungs, findWrongRungs, type Halving } from '../scheduler/halving.ts';
import { closed, leaf } from '../structure.ts';

/** `patience` of a job. */
export const patienceSection = closed({ evaluations: wholeNumber(1), minimumGain: nonNegativeNumber.default(0) });

const GIVEN_BY_GRID = 'which a grid gives by itself';

/** `halving` of a job: of a template, whose grid adds name and trials, or of a trial by itself. */
export const halvingSection = closed({
  name: leaf<string>(`expected up to 100 characters, the name of the sweep, ${GIVEN_BY_GRID}`, (value) => typeof value === 'string' && value !== '' && value.length <= 100),
  trials: leaf<number>(`expected the number of trials in the sweep, ${GIVEN_BY_GRID}`, (value) => Number.isSafeInteger(value) && (value as number) >= 1),
  reduction: wholeNumber(2).default(4),
  rungs: z.array(wholeNumber(1)).min(1, { error: 'expected at least one rung' }).optional(),
});

type WrittenHalving = z.output<typeof halvingSection>;

/** What early exit needs to know of the job it is a part of. */
type Trained = Pick<Job, 'evaluate' | 'duration'>;

const iterationsOf = ({ duration }: Trained): number | null => (duration.kind === 'iterations' ? duration.iterations : null);

const resolveRungs = ({ reduction, rungs }: WrittenHalving, trained: Trained): readonly number[] => {
  const iterations = iterationsOf(trained);
  return rungs ?? (trained.evaluate === null || iterations === null ? [] : defaultRungs(trained.evaluate.every, reduction, iterations));
};

/** A sweep with its rungs, and what is wrong with it: messages by the key of the job that they are about. */
export const resolveHalving = (written: WrittenHalving, trained: Trained): { readonly halving: Halving; readonly wrong: readonly (readonly [path: readonly (string | number)[], message: string])[] } => {
  const { evaluate } = trained;
  const rungs = resolveRungs(written, trained);
  const halving: Halving = { name: written.name, trials: written.trials, reduction: written.reduction, rungs };
  if (evaluate === null) return { halving, wrong: [] };
  if (rungs.length === 0) {
    const why = iterationsOf(trained) === null ? 'is missing; expected iterations at which trials are judged, as epochs do not say how many there are' : `is missing, and the job ends before its first evaluation, after ${evaluate.every} iterations`;
    return { halving, wrong: [[['halving', 'rungs'], why]] };
  }
  return { halving, wrong: findWrongRungs(rungs, evaluate.every, iterationsOf(trained)).map(({ index, message }) => [['halving', 'rungs', index], message] as const) };
};
