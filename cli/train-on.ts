import { stringify } from 'csv-stringify/sync';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatExperiment } from '../core/experiment/format.ts';
import { formatPlanFile } from '../core/experiment/plan-file-text.ts';
import { problem } from '../core/problem.ts';
import { formatTable } from '../core/text-table.ts';
import { formatChromeTrace } from '../core/trace/chrome-trace.ts';
import { summarize, type TraceSummary } from '../core/trace/summary.ts';
import type { BackendName } from '../exec/backend/backend.ts';
import type { BrokenJob } from '../exec/data/job-rows.ts';
import { formatFile, type FileProblems } from '../exec/exec-error.ts';
import { checkModel } from '../exec/run/check-model.ts';
import { iterationsDone, type JobProgress } from '../exec/run/job-records.ts';
import { checkTrainable } from '../exec/run/trainable-schedule.ts';
import { planRemainder, readProgress, trainExperiment, type TrainableExperiment } from '../exec/run/train-experiment.ts';
import type { AdapterResult, TrainOptions, TrainResult } from '../exec/run/train-options.ts';
import { planExperiment } from '../sim/plan-experiment.ts';
import { timelineSvg } from '../viz/timeline-svg.ts';
import type { LossSeries, MetricRow } from '../viz/report.ts';
import { badFiles, badInput, doesNotFit, execution, type Failure } from './failure.ts';
import { asSeenFrom } from '../exec/run/open-experiment.ts';
import { idleRows } from './idle-table.ts';
import { lossesCsv } from './losses-csv.ts';
import { formatPrediction, predictionCsv, predictionRows } from './prediction.ts';
import { openProfiled, type ProfileFlags } from './profile-option.ts';
import { createProgress } from './progress-bars.ts';
import { provenance } from './provenance.ts';
import { reportPage } from './report-page.ts';
import { runSimulation, type Simulation } from './run-simulation.ts';
import { formatMetrics, metricRows, subtitleOf } from './summary.ts';
import { withPngs } from './picture.ts';
import { prepareFolder, writeResults, type ResultFiles } from './write-results.ts';

export interface TrainFlags extends ProfileFlags {
  readonly backend: BackendName | 'auto';
  readonly out: string;
  readonly resume?: true;
}

/** Where the ranks of a run live. */
export interface Ranks {
  readonly ranks: TrainOptions['ranks'];
  /** Number of processes that a launcher has started; null: as many as the experiment has devices. */
  readonly size: number | null;
}

/** A planned experiment, and the jobs of its file that take no part because rows of their data are broken. */
interface Openable extends TrainableExperiment {
  readonly leftOut: readonly BrokenJob[];
}

/** `progress` is what earlier runs have done of each job, null in a fresh run; `plan` is what is left. */
interface Resumable extends Openable {
  readonly progress: readonly JobProgress[] | null;
}

/** A planned experiment, its simulation and what training it gave. */
interface Trained extends Resumable {
  readonly simulation: Simulation;
  readonly result: TrainResult;
}

/** Plans an experiment, simulates the plan, runs it for real and reports both. */
export const trainOn = (path: string, flags: TrainFlags, ranks: Ranks): TE.TaskEither<Failure, void> =>
  pipe(
    openTrainable(path, flags),
    TE.chainEitherK((trainable) => checkSize(path, trainable, ranks)),
    TE.chainFirst(({ experiment, modelFolder }) => pipe(checkModel(experiment.model, modelFolder), TE.mapLeft(execution))),
    TE.chain((trainable) => findProgress(trainable, flags)),
    TE.chainFirst(() => prepareFolder(flags.out)),
    TE.chainFirstIOK(({ leftOut }) => () => leftOut.forEach(sayLeftOut)),
    TE.chain((resumable) => (isThrough(resumable) ? sayThrough(resumable, flags) : trainAndReport(resumable, flags, ranks))),
  );

const checkSize = <T extends TrainableExperiment>(path: string, trainable: T, { size }: Ranks): E.Either<Failure, T> => {
  const devices = trainable.plan.programs.length;
  if (size === null || size === devices) return E.right(trainable);
  return E.left(badInput(path, [problem('cluster', `has ${devices} devices for ${size} ranks that were started; expected one rank per device`)]));
};

const sayLeftOut = ({ job, files }: BrokenJob): void =>
  void process.stderr.write(`${files.map(formatFile).join('\n')}\njob ${job.name} takes no part in this run; the others do\n`);

/** What a run that has trained the others ends with when there are jobs with broken rows. */
const leftOutFailure = (leftOut: readonly BrokenJob[]): E.Either<Failure, void> => {
  const files = leftOut.map(({ job, files: [first] }): FileProblems => {
    const { path, message } = first!.problems[0];
    return { file: first!.file, problems: [problem(path, `${message}; job ${job.name} was not trained, run again with --resume once it is right`)] };
  });
  return files.length === 0 ? E.right(undefined) : E.left(badFiles(files));
};

const trainAndReport = (resumable: Resumable, flags: TrainFlags, ranks: Ranks): TE.TaskEither<Failure, void> =>
  pipe(
    TE.fromEither(runSimulation(resumable.plan, resumable.cost, resumable.experiment.cluster)),
    TE.bindTo('simulation'),
    TE.bind('result', ({ simulation }) => runTraining(resumable, flags, ranks, simulation)),
    TE.chain((trained) => finish({ ...resumable, ...trained }, flags)),
  );

export const openTrainable = (path: string, flags: TrainFlags): TE.TaskEither<Failure, Openable> =>
  pipe(
    openProfiled(path, flags, { brokenRows: 'leaveJobOut' }),
    TE.chainEitherK(({ experiment, trainJobs, options, leftOut }) => {
      if (experiment.modelSource.kind === 'preset' || trainJobs === null) {
        const expected = 'training needs a model folder and rows in files for every job; `mlora simulate` does without';
        return E.left(badInput(path, [problem('', expected)]));
      }
      const [untrainable, ...others] = checkTrainable(experiment.schedule);
      if (untrainable !== undefined) return E.left(badInput(path, [untrainable, ...others]));
      const modelFolder = experiment.modelSource.path;
      return pipe(
        planExperiment(experiment, options),
        E.bimap(doesNotFit, ({ plan, cost }) => ({ experiment, modelFolder, trainJobs, plan, cost, leftOut })),
      );
    }),
  );

const findProgress = (trainable: Openable, { resume, out }: TrainFlags): TE.TaskEither<Failure, Resumable> =>
  resume === undefined
    ? TE.right({ ...trainable, progress: null })
    : pipe(
        readProgress(trainable, out, trainable.leftOut.map(({ job }) => job.name)),
        TE.bimap(execution, (progress) => ({
          ...trainable,
          progress,
          plan: planRemainder(trainable, progress.map(iterationsDone)),
        })),
      );

const isThrough = ({ progress, trainJobs }: Resumable): boolean =>
  progress !== null && trainJobs.every(({ order }, job) => iterationsDone(progress[job]!) === order.iterations);

const sayThrough = ({ leftOut }: Resumable, { out }: TrainFlags): TE.TaskEither<Failure, void> =>
  pipe(
    TE.fromIO(() => void process.stdout.write(`every job is trained; adapters are in ${out}/adapters\n`)),
    TE.chainEitherK(() => leftOutFailure(leftOut)),
  );

const runTraining = (trainable: Resumable, { backend, out }: TrainFlags, { ranks }: Ranks, { summary }: Simulation): TE.TaskEither<Failure, TrainResult> => {
  const { progress: earlier } = trainable;
  const progress = createProgress(
    trainable.trainJobs.map(({ job, order }, i) => ({
      name: job.name,
      iterations: order.iterations,
      done: earlier === null ? 0 : iterationsDone(earlier[i]!),
    })),
  );
  const stop = <T>(value: T): T => {
    progress.stop();
    return value;
  };
  return pipe(
    trainExperiment(trainable, {
      backend,
      outputFolder: out,
      ranks,
      neededBytes: summary.devices.map(({ peakMemoryBytes }) => peakMemoryBytes),
      onProgress: progress.show,
      ...(earlier === null ? {} : { progress: earlier }),
    }),
    TE.bimap((error) => execution(stop(error)), stop),
  );
};

const finish = (trained: Trained, { out }: TrainFlags): TE.TaskEither<Failure, void> => {
  const measured = summarize(trained.result.trace);
  const rows = [...metricRows(trained.simulation.summary, measured), ...idleRows(trained.simulation.trace, trained.result.trace)];
  return pipe(
    writeResults(out, resultFiles({ ...trained, experiment: asSeenFrom(out, trained.experiment) }, measured, rows)),
    TE.chainEitherK(() => {
      process.stdout.write(`\n${formatMetrics(rows)}\n\n${formatLosses(trained.result.adapters)}\n`);
      process.stdout.write(`\n${formatPrediction(trained.simulation.trace, trained.result.trace)}\n`);
      process.stdout.write(`\nadapters are in ${out}/adapters; open ${out}/report.html in a browser\n`);
      const [failure] = trained.result.adapters.flatMap((adapter) => adapter.failure ?? []);
      return failure === undefined ? leftOutFailure(trained.leftOut) : E.left(execution(failure));
    }),
  );
};

const formatLosses = (adapters: readonly AdapterResult[]): string =>
  formatTable([
    ['adapter', 'first loss', 'last loss', 'held-out before', 'held-out after'],
    ...adapters.map(({ name, losses, heldout, failure }) => [
      failure === null ? name : `${name} (failed in iteration ${failure.iteration + 1})`,
      ...[losses[0], losses.at(-1), heldout?.before, heldout?.after].map((loss) => loss?.toFixed(4) ?? '–'),
    ]),
  ]);

const resultFiles = (trained: Trained, measured: TraceSummary, rows: readonly MetricRow[]): ResultFiles => {
  const { experiment, plan, simulation, result } = trained;
  const settings = formatExperiment(experiment);
  const title = experiment.name;
  return withPngs({
    'experiment.yaml': settings,
    'plan.json': formatPlanFile({ experiment, plan }),
    'simulated.trace.json': formatChromeTrace(simulation.trace),
    'measured.trace.json': formatChromeTrace(result.trace),
    'simulated.svg': timelineSvg(simulation.trace, { title, subtitle: subtitleOf(simulation.summary) }),
    'measured.svg': timelineSvg(result.trace, { title, subtitle: subtitleOf(measured) }),
    'summary.json': JSON.stringify({ simulated: simulation.summary, measured }, null, 2),
    'run.json': JSON.stringify({ ...provenance(), backend: result.backend, devices: result.devices }, null, 2),
    'prediction.csv': predictionCsv(simulation.trace, result.trace),
    'metrics.csv': stringify([...rows], { header: true, columns: ['label', 'simulated', 'measured'] }),
    'losses.csv': lossesCsv(result.adapters.map(lossSeries)),
    'report.html': reportPage({
      title,
      subtitle: `${measured.schedule} on ${experiment.cluster.name}, trained with the ${result.backend} backend`,
      metrics: [...rows, ...predictionRows(simulation.trace, result.trace)],
      traces: [
        { label: 'Simulated', subtitle: subtitleOf(simulation.summary), trace: simulation.trace },
        { label: 'Measured', subtitle: subtitleOf(measured), trace: result.trace },
      ],
      losses: result.adapters.map(lossSeries),
      settings,
    }),
  });
};

/** Held-out losses by iterations made: before training, during it, and after it. */
const heldoutLosses = ({ losses, heldout, evaluations }: AdapterResult): readonly { readonly iteration: number; readonly loss: number }[] => [
  ...(heldout === null ? [] : [{ iteration: 0, loss: heldout.before }]),
  ...evaluations,
  ...(heldout === null ? [] : [{ iteration: losses.length, loss: heldout.after }]),
];

const lossSeries = (adapter: AdapterResult): LossSeries => ({
  name: adapter.name,
  training: adapter.losses.map((loss, index) => ({ iteration: index + 1, loss })),
  heldout: heldoutLosses(adapter),
});
