import { availableParallelism } from 'node:os';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { problem, show } from '../../core/problem.ts';
import { formatTable } from '../../core/text-table.ts';
import { onInterruption } from '../../exec/run/interruption.ts';
import type { EvaluatedFigure } from '../../experiments/reproduction/evaluate.ts';
import type { Figure } from '../../experiments/reproduction/figure.ts';
import { figureCsv } from '../../experiments/reproduction/figure-csv.ts';
import { figureSvg } from '../../experiments/reproduction/figure-svg.ts';
import { FIGURES } from '../../experiments/reproduction/figures.ts';
import { reproductionPage } from '../../experiments/reproduction/report.ts';
import { reproduce } from '../../experiments/reproduction/reproduce.ts';
import { summaryCells, summaryCsv, summaryMarkdown } from '../../experiments/reproduction/summary.ts';
import { createCountedProgress } from '../counted-progress.ts';
import { badInput, type Failure } from '../failure.ts';
import { withPngs } from '../picture.ts';
import { prepareFolder, writeResults, type ResultFiles } from '../write-results.ts';

export interface ReproduceFlags {
  readonly out?: string;
}

/** Where the results of all figures stand in the repository, and where those of some go. */
const RESULTS_FOLDER = 'experiments/reproduction/results';
const SOME_FOLDER = 'runs/reproduce';

/** `mlora reproduce [figure …]`: makes the figures of the paper's evaluation, ours beside the paper's. */
export const reproduceCommand = (names: readonly string[], flags: ReproduceFlags): TE.TaskEither<Failure, void> => {
  const folder = flags.out ?? (names.length === 0 ? RESULTS_FOLDER : SOME_FOLDER);
  return pipe(
    TE.fromEither(chooseFigures(names)),
    TE.chainFirst(() => prepareFolder(folder)),
    TE.chain((figures) => compute(figures, folder)),
    TE.chainFirst((evaluated) => writeResults(folder, pageFiles(evaluated))),
    TE.map((evaluated) => {
      process.stdout.write(`${formatTable(summaryCells(evaluated).map((row) => [...row]))}\n\nevery point is in ${folder}; open ${folder}/report.html in a browser\n`);
    }),
  );
};

const chooseFigures = (names: readonly string[]): E.Either<Failure, readonly Figure[]> => {
  const known = FIGURES.map(({ number }) => String(number));
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => problem('', `${show(name)} is no figure; there are ${known.join(', ')}`));
  if (isNonEmpty(problems)) return E.left(badInput('reproduce', problems));
  return E.right(names.length === 0 ? FIGURES : FIGURES.filter(({ number }) => names.includes(String(number))));
};

const baseName = ({ number }: Figure): string => `figure-${String(number).padStart(2, '0')}`;

const figureFiles = (evaluated: EvaluatedFigure): ResultFiles => ({
  [`${baseName(evaluated.figure)}.csv`]: figureCsv(evaluated),
  [`${baseName(evaluated.figure)}.svg`]: figureSvg(evaluated),
});

const pageFiles = (evaluated: readonly EvaluatedFigure[]): ResultFiles => ({
  'summary.csv': summaryCsv(evaluated),
  'summary.md': summaryMarkdown(evaluated),
  'report.html': reproductionPage(evaluated),
});

/** Writes every figure as soon as it is complete, so that Ctrl-C leaves those that are. */
const compute = (figures: readonly Figure[], folder: string): TE.TaskEither<Failure, readonly EvaluatedFigure[]> => async () => {
  const abort = new AbortController();
  const interruption = { by: null as string | null };
  const stopListening = onInterruption((error) => {
    interruption.by = error.kind === 'interrupted' ? error.by : error.kind;
    abort.abort();
  });
  const progress = createCountedProgress('runs');
  const writing: Promise<E.Either<Failure, void>>[] = [];
  try {
    const evaluated = await reproduce(figures, {
      workers: availableParallelism(),
      signal: abort.signal,
      onProgress: progress.show,
      onFigure: (figure) => writing.push(writeResults(folder, withPngs(figureFiles(figure)))()),
    });
    const unwritten = (await Promise.all(writing)).find(E.isLeft);
    if (unwritten !== undefined) return unwritten;
    return interruption.by === null ? E.right(evaluated) : E.left(interrupted(interruption.by, evaluated, folder));
  } finally {
    progress.stop();
    stopListening();
  }
};

const interrupted = (by: string, complete: readonly EvaluatedFigure[], folder: string): Failure => ({
  kind: 'interrupted',
  message:
    complete.length === 0
      ? `interrupted by ${by}; no figure was complete`
      : `interrupted by ${by}; ${folder} has figures ${complete.map(({ figure }) => figure.number).join(', ')}`,
});
