import { stringify } from 'csv-stringify/sync';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatExperiment } from '../../core/experiment/format.ts';
import { problem } from '../../core/problem.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatChromeTrace } from '../../core/trace/chrome-trace.ts';
import { summarize, type TraceSummary } from '../../core/trace/summary.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { trainExperiment, type TrainableExperiment } from '../../exec/run/train-experiment.ts';
import type { AdapterResult, TrainResult } from '../../exec/run/train-options.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import type { LossSeries, MetricRow } from '../../viz/report.ts';
import { badFiles, badInput, doesNotFit, execution, type Failure } from '../failure.ts';
import { asSeenFrom, openExperiment } from '../../exec/run/open-experiment.ts';
import { formatPlanFile } from '../plan-file.ts';
import { createProgress } from '../progress-bars.ts';
import { provenance } from '../provenance.ts';
import { reportPage } from '../report-page.ts';
import { runSimulation, type Simulation } from '../run-simulation.ts';
import { formatMetrics, metricRows, subtitleOf } from '../summary.ts';
import { prepareFolder, writeResults, type ResultFiles } from '../write-results.ts';

export interface TrainFlags {
  readonly backend: BackendName | 'auto';
  readonly out: string;
}

/** A planned experiment, its simulation and what training it gave. */
interface Trained extends TrainableExperiment {
  readonly simulation: Simulation;
  readonly result: TrainResult;
}

/** `mlora train`: plans an experiment, simulates the plan, runs it for real and reports both. */
export const trainCommand = (path: string, flags: TrainFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openTrainable(path),
    TE.chainFirst(() => prepareFolder(flags.out)),
    TE.bind('simulation', ({ plan, cost, experiment }) => TE.fromEither(runSimulation(plan, cost, experiment.cluster))),
    TE.bind('result', (trainable) => runTraining(trainable, flags)),
    TE.chain((trained) => finish(trained, flags)),
  );

const openTrainable = (path: string): TE.TaskEither<Failure, TrainableExperiment> =>
  pipe(
    pipe(openExperiment(path), TE.mapLeft(badFiles)),
    TE.chainEitherK(({ experiment, trainJobs, files }) => {
      if (experiment.modelSource.kind === 'preset' || trainJobs === null) {
        const expected = 'training needs a model folder and rows in files for every job; `mlora simulate` does without';
        return E.left(badInput(path, [problem('', expected)]));
      }
      const modelFolder = experiment.modelSource.path;
      return pipe(
        planExperiment(experiment, { files }),
        E.bimap(doesNotFit, ({ plan, cost }) => ({ experiment, modelFolder, trainJobs, plan, cost })),
      );
    }),
  );

const runTraining = (trainable: TrainableExperiment, { backend, out }: TrainFlags): TE.TaskEither<Failure, TrainResult> => {
  const progress = createProgress(
    trainable.trainJobs.map(({ job, order }) => ({ name: job.name, iterations: order.iterations })),
  );
  const stop = <T>(value: T): T => {
    progress.stop();
    return value;
  };
  return pipe(
    trainExperiment(trainable, { backend, outputFolder: out, ranks: 'processes', onProgress: progress.show }),
    TE.bimap((error) => execution(stop(error)), stop),
  );
};

const finish = (trained: Trained, { out }: TrainFlags): TE.TaskEither<Failure, void> => {
  const measured = summarize(trained.result.trace);
  const rows = metricRows(trained.simulation.summary, measured);
  return pipe(
    writeResults(out, resultFiles({ ...trained, experiment: asSeenFrom(out, trained.experiment) }, measured, rows)),
    TE.map(() => {
      process.stdout.write(`\n${formatMetrics(rows)}\n\n${formatLosses(trained.result.adapters)}\n`);
      process.stdout.write(`\nadapters are in ${out}/adapters; open ${out}/report.html in a browser\n`);
    }),
  );
};

const formatLosses = (adapters: readonly AdapterResult[]): string =>
  formatTable([
    ['adapter', 'first loss', 'last loss', 'held-out before', 'held-out after'],
    ...adapters.map(({ name, losses, heldout }) => [
      name,
      ...[losses[0], losses.at(-1), heldout?.before, heldout?.after].map((loss) => loss?.toFixed(4) ?? '–'),
    ]),
  ]);

const resultFiles = (trained: Trained, measured: TraceSummary, rows: readonly MetricRow[]): ResultFiles => {
  const { experiment, plan, simulation, result } = trained;
  const settings = formatExperiment(experiment);
  const title = experiment.name;
  return {
    'experiment.yaml': settings,
    'plan.json': formatPlanFile({ experiment, plan }),
    'simulated.trace.json': formatChromeTrace(simulation.trace),
    'measured.trace.json': formatChromeTrace(result.trace),
    'simulated.svg': timelineSvg(simulation.trace, { title, subtitle: subtitleOf(simulation.summary) }),
    'measured.svg': timelineSvg(result.trace, { title, subtitle: subtitleOf(measured) }),
    'summary.json': JSON.stringify({ simulated: simulation.summary, measured }, null, 2),
    'run.json': JSON.stringify({ ...provenance(), backend: result.backend }, null, 2),
    'metrics.csv': stringify([...rows], { header: true, columns: ['label', 'simulated', 'measured'] }),
    'losses.csv': lossesCsv(result.adapters),
    'report.html': reportPage({
      title,
      subtitle: `${measured.schedule} on ${experiment.cluster.name}, trained with the ${result.backend} backend`,
      metrics: rows,
      traces: [
        { label: 'Simulated', subtitle: subtitleOf(simulation.summary), trace: simulation.trace },
        { label: 'Measured', subtitle: subtitleOf(measured), trace: result.trace },
      ],
      losses: result.adapters.map(lossSeries),
      settings,
    }),
  };
};

/** Held-out losses stand at iteration 0 and after the last one. */
const lossesCsv = (adapters: readonly AdapterResult[]): string =>
  stringify(
    adapters.flatMap(({ name, losses, heldout }) => [
      ...losses.map((loss, iteration) => ({ adapter: name, iteration: iteration + 1, set: 'train', loss })),
      ...(heldout === null
        ? []
        : [
            { adapter: name, iteration: 0, set: 'heldout', loss: heldout.before },
            { adapter: name, iteration: losses.length, set: 'heldout', loss: heldout.after },
          ]),
    ]),
    { header: true, columns: ['adapter', 'iteration', 'set', 'loss'] },
  );

const lossSeries = ({ name, losses, heldout }: AdapterResult): LossSeries => ({
  name,
  training: losses.map((loss, index) => ({ iteration: index + 1, loss })),
  heldout:
    heldout === null
      ? []
      : [
          { iteration: 0, loss: heldout.before },
          { iteration: losses.length, loss: heldout.after },
        ],
});
