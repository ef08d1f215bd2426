import { availableParallelism } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { arrayScript, closingScript } from '../../exec/launch/slurm-script.ts';
import { readText } from '../../exec/run/open-experiment.ts';
import { onInterruption } from '../../exec/run/interruption.ts';
import { codeIdentity } from '../../experiments/sweep/code-identity.ts';
import { expandSweep } from '../../experiments/sweep/expand.ts';
import { journalName, openJournal, type Journal } from '../../experiments/sweep/journal.ts';
import type { PointTask } from '../../experiments/sweep/evaluate-point.ts';
import { readSweep } from '../../experiments/sweep/read-sweep.ts';
import { runPoints, type FailedPoint } from '../../experiments/sweep/run-points.ts';
import { sweepCharts } from '../../experiments/sweep/sweep-charts.ts';
import { formatSweep, sweepCsv } from '../../experiments/sweep/sweep-table.ts';
import { choiceText, type PointResult, type Sweep, type SweepPoint, type SweepRow } from '../../experiments/sweep/sweep.ts';
import { openWorkerPool } from '../../experiments/worker-pool.ts';
import { createCountedProgress } from '../counted-progress.ts';
import { badFiles, badInput, type Failure } from '../failure.ts';
import { ownCommand, submit, type SlurmFlags } from '../launch-flags.ts';
import { provenance } from '../provenance.ts';
import { withPngs } from '../picture.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface SweepFlags extends SlurmFlags {
  readonly out?: string;
  readonly threads?: number;
  /** Which of how many equal parts of the grid to run, from 1. */
  readonly part?: { readonly number: number; readonly of: number };
  readonly launcher: 'local' | 'slurm';
  readonly tasks: number;
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
    TE.chain((open) => (flags.launcher === 'slurm' ? submitSweep(open, path, flags) : runSweep(open, flags))),
  );

const runSweep = (open: OpenSweep, flags: SweepFlags): TE.TaskEither<Failure, void> =>
  pipe(
    TE.fromTask(() => run(open, flags)),
    TE.chainFirst(() => (flags.part === undefined ? writeResults(open.folder, withPngs(resultFiles(open))) : TE.right(undefined))),
    TE.chainEitherK((ran) => conclude(open, ran, flags)),
  );

/** An array of jobs that share the grid, and one after them that draws the pictures. */
const submitSweep = ({ points, folder: out }: OpenSweep, path: string, { tasks, threads, slurmArg }: SweepFlags): TE.TaskEither<Failure, void> => {
  const folder = resolve(out, 'slurm');
  const command = [...ownCommand(), 'sweep', resolve(path), '--out', resolve(out), '--threads', String(threads ?? 1)];
  const options = { name: 'mlora-sweep', folder, command, arguments: [`--cpus-per-task=${threads ?? 1}`, ...slurmArg] };
  const parts = Math.min(tasks, points.length);
  return pipe(
    submit(`${folder}/sweep.sbatch`, arrayScript(options, parts)),
    TE.bindTo('array'),
    TE.bind('closing', ({ array }) => submit(`${folder}/pictures.sbatch`, closingScript(options), [`--dependency=afterany:${array}`])),
    TE.map(({ array, closing }) => {
      process.stdout.write(`Slurm jobs ${array} (${parts} tasks, ${points.length} points) and ${closing}, which draws the pictures; output goes to ${folder}, results to ${out}\n`);
    }),
  );
};

const openSweep = (path: string, { out, part }: SweepFlags): TE.TaskEither<Failure, OpenSweep> => {
  const folder = out ?? join('runs', basename(path, extname(path)));
  const journalFile = join(folder, journalName(part === undefined ? null : `${part.number}-of-${part.of}`));
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

/** The points that this process runs: every n-th of those without a result. */
const ownPoints = (points: readonly SweepPoint[], { part }: SweepFlags): readonly SweepPoint[] =>
  part === undefined ? points : points.filter((_, index) => index % part.of === part.number - 1);

const run = async ({ sweep, points, journal }: OpenSweep, flags: SweepFlags): Promise<Ran> => {
  const { threads = availableParallelism() } = flags;
  const abort = new AbortController();
  let interruptedBy: string | null = null;
  const stopListening = onInterruption((error) => {
    interruptedBy = error.kind === 'interrupted' ? error.by : error.kind;
    abort.abort();
  });
  const pool = openWorkerPool<PointTask, PointResult>(new URL('../../experiments/sweep/worker.js', import.meta.url), threads, abort.signal);
  const progress = createCountedProgress('points');
  try {
    const failed = await runPoints(ownPoints(points, flags), {
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

const conclude = (open: OpenSweep, { failed, interruptedBy }: Ran, { part }: SweepFlags): E.Either<Failure, void> => {
  const { sweep, points, folder } = open;
  const rows = rowsOf(open);
  const done = rows.filter(({ result }) => result !== null).length;
  const where = `results and pictures are in ${folder}`;
  if (interruptedBy !== null) {
    const message = `interrupted by ${interruptedBy}: ${done} of ${points.length} points are done; run the same command to go on; ${where}`;
    return E.left({ kind: 'interrupted', message });
  }
  process.stdout.write(part === undefined ? `${formatSweep(sweep, rows)}\n\n${where}\n` : `part ${part.number} of ${part.of} is through; ${done} of all ${points.length} points are done\n`);
  if (failed.length === 0) return E.right(undefined);
  const reasons = failed.slice(0, MOST_REASONS).map(({ point, reason }) => `  ${choiceText(sweep.axes, point)}: ${reason}`);
  return E.left({ kind: 'failed', message: [`${failed.length} of ${points.length} points could not be run:`, ...reasons].join('\n') });
};
