import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { suggest } from '../../core/nearest.ts';
import { problem, show } from '../../core/problem.ts';
import { SCORECARD, type ScorecardEntry } from '../../experiments/scorecard/data-sets.ts';
import { formatScorecard, scorecardFiles } from '../../experiments/scorecard/report.ts';
import { score, type Score } from '../../experiments/scorecard/score.ts';
import { badInput, type Failure } from '../failure.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface ValidateFlags {
  readonly json?: boolean;
  readonly out?: string;
}

/** Where the scorecard of all data sets stands in the repository. */
const SCORECARD_FOLDER = 'experiments/scorecard';

/** `mlora validate`: predicts published measurements and prints the errors; all data sets together are also written. */
export const validateCommand = (names: readonly string[], flags: ValidateFlags): TE.TaskEither<Failure, void> => {
  const folder = flags.out ?? (names.length === 0 ? SCORECARD_FOLDER : null);
  return pipe(
    TE.fromEither(chooseEntries(names)),
    TE.chainFirst(() => (folder === null ? TE.right(undefined) : prepareFolder(folder))),
    TE.map((entries) => entries.map(({ use }) => use(score))),
    TE.chainFirst((scores) => (folder === null ? TE.right(undefined) : writeResults(folder, scorecardFiles(scores)))),
    TE.map((scores) => print(scores, flags, folder)),
  );
};

const chooseEntries = (names: readonly string[]): E.Either<Failure, readonly ScorecardEntry[]> => {
  const known = SCORECARD.map(({ name }) => name);
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => problem('', `${show(name)} is no data set${suggest(name, known) || `; there are ${known.join(', ')}`}`));
  if (isNonEmpty(problems)) return E.left(badInput('validate', problems));
  return E.right(names.length === 0 ? SCORECARD : SCORECARD.filter(({ name }) => names.includes(name)));
};

const print = (scores: readonly Score[], { json }: ValidateFlags, folder: string | null): void => {
  if (json === true) {
    process.stdout.write(scorecardFiles(scores)['scorecard.json']);
    return;
  }
  process.stdout.write(`${formatScorecard(scores)}\n`);
  if (folder !== null) process.stdout.write(`\nevery point and the fitted constants are in ${folder}\n`);
};
