import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { readText } from '../../exec/run/open-experiment.ts';
import { onInterruption } from '../../exec/run/interruption.ts';
import { codeIdentity } from '../../experiments/sweep/code-identity.ts';
import { expandSweep } from '../../experiments/sweep/expand.ts';
import { openJournal, type Journal } from '../../experiments/sweep/journal.ts';
import type { PointTask } from '../../experiments/sweep/evaluate-point.ts';
import { readSweep } from '../../experiments/sweep/read-sweep.ts';
import { runPoints, type FailedPoint } from '../../experiments/sweep/run-points.ts';
import { sweepCharts } from '../../experiments/sweep/sweep-charts.ts';
import { formatSweep, sweepCsv } from '../../experiments/sweep/sweep-table.ts';
import { choiceText, type PointResult, type Sweep, type SweepPoint, type SweepRow } from '../../experiments/sweep/sweep.ts';
import { openWorkerPool } from '../../experiments/worker-pool.ts';
import { createCountedProgress } from '../counted-progress.ts';
import { badFiles, badInput, type Failure } from '../failure.ts';
import { provenance } from '../provenance.ts';
import { withPngs } from '../picture.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface SweepFlags {
  readonly out?: string;
  readonly threads?: number;
}

interface OpenSweep {
  readonly sweep: Sweep;
  readonly points: readonly SweepPoint[];
  readonly folder: string;
  readonly journal: Journal;
}

/** What a run of the missing points came to. */
interface Ran {
  readonly failed: readonly FailedPoint[];
  readonly interruptedBy: string | null;
}

/** `mlora sweep`: simulates every experiment of a grid that has no result yet, on all cores, and draws a picture per axis. */
export const sweepCommand = (path: string, flags: SweepFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openSweep(path, flags),
    TE.chain((open) =>
      pipe(
        TE.fromTask(() => run(open, flags)),
        TE.chainFirst(() => writeResults(open.folder, withPngs(resultFiles(open)))),
        TE.chainEitherK((ran) => conclude(open, ran)),
      ),
    ),
  );

const openSweep = (path: string, { out }: SweepFlags): TE.TaskEither<Failure, OpenSweep> => {
  const folder = out ?? join('runs', basename(path, extname(path)));
  const journalFile = join(folder, 'points.jsonl');
  return pipe(
    readText(path),
    TE.chainEitherK((text) => readSweep(path, text)),
    TE.mapLeft(badFiles),
    TE.bindTo('sweep'),
    TE.bind('points', ({ sweep }) =>
      TE.fromEither(pipe(expandSweep(sweep, { code: codeIdentity() }), E.mapLeft((problems) => badInput(path, problems)))),
    ),
    TE.chainFirst(() => prepareFolder(folder)),
    TE.bind('journal', () => TE.fromEither(pipe(openJournal(journalFile), E.mapLeft((problems) => badInput(journalFile, problems))))),
    TE.map((open) => ({ ...open, folder })),
  );
};

const run = async ({ sweep, points, journal }: OpenSweep, { threads = availableParallelism() }: SweepFlags): Promise<Ran> => {
  const abort = new AbortController();
  let interruptedBy: string | null = null;
  const stopListening = onInterruption((error) => {
    interruptedBy = error.kind === 'interrupted' ? error.by : error.kind;
    abort.abort();
  });
  const pool = openWorkerPool<PointTask, PointResult>(new URL('../../experiments/sweep/worker.js', import.meta.url), threads, abort.signal);
  const progress = createCountedProgress('points');
  try {
    const failed = await runPoints(points, {
      journal,
      evaluate: ({ content }) => pool.run({ content, folder: sweep.folder }),
      concurrency: threads,
      onDone: progress.show,
      signal: abort.signal,
    });
    return { failed, interruptedBy };
  } finally {
    progress.stop();
    stopListening();
    await pool.close();
  }
};

const rowsOf = ({ points, journal }: OpenSweep): SweepRow[] => points.map((point) => ({ point, result: journal.known.get(point.id) ?? null }));

const resultFiles = (open: OpenSweep) => {
  const rows = rowsOf(open);
  return {
    'results.csv': sweepCsv(open.sweep, rows),
    'run.json': JSON.stringify(provenance(), null, 2),
    ...sweepCharts(open.sweep, rows),
  };
};

const MOST_REASONS = 5;

const conclude = (open: OpenSweep, { failed, interruptedBy }: Ran): E.Either<Failure, void> => {
  const { sweep, points, folder } = open;
  const rows = rowsOf(open);
  const done = rows.filter(({ result }) => result !== null).length;
  const where = `results and pictures are in ${folder}`;
  if (interruptedBy !== null) {
    const message = `interrupted by ${interruptedBy}: ${done} of ${points.length} points are done; run the same command to go on; ${where}`;
    return E.left({ kind: 'interrupted', message });
  }
  process.stdout.write(`${formatSweep(sweep, rows)}\n\n${where}\n`);
  if (failed.length === 0) return E.right(undefined);
  const reasons = failed.slice(0, MOST_REASONS).map(({ point, reason }) => `  ${choiceText(sweep.axes, point)}: ${reason}`);
  return E.left({ kind: 'failed', message: [`${failed.length} of ${points.length} points could not be run:`, ...reasons].join('\n') });
};
