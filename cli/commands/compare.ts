import { stringify } from 'csv-stringify/sync';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatExperiment } from '../../core/experiment/format.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { formatTable } from '../../core/text-table.ts';
import { formatBytes, formatDuration, NS_PER_S } from '../../core/units.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { chooseContenders, unsuitable, type Contender } from '../contenders.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import { badInput, doesNotFit, formatFailure, type Failure } from '../failure.ts';
import { asSeenFrom } from '../../exec/run/open-experiment.ts';
import { openProfiled, type ProfiledExperiment, type ProfileFlags } from '../profile-option.ts';
import { provenance } from '../provenance.ts';
import { reportPage } from '../report-page.ts';
import { memoryFailure, runSimulation, type Simulation } from '../run-simulation.ts';
import { subtitleOf } from '../summary.ts';
import { withPngs } from '../picture.ts';
import { prepareFolder, writeResults, type ResultFiles } from '../write-results.ts';

export interface CompareFlags extends ProfileFlags {
  readonly json?: boolean;
  readonly out?: string;
  /** Types of schedules, a comma between them; all by default. */
  readonly schedules?: string;
}

/** A schedule's simulation, or why it cannot run. */
interface Outcome {
  readonly name: string;
  readonly result: E.Either<Failure, Simulation>;
}

/** `mlora compare`: plans and simulates an experiment under every schedule and prints one table. */
export const compareCommand = (path: string, flags: CompareFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openProfiled(path, flags),
    TE.chainEitherK((open) =>
      pipe(
        chooseContenders(open.experiment, flags.schedules),
        E.bimap((problems) => badInput('--schedules', problems), (contenders) => ({ open, contenders })),
      ),
    ),
    TE.chainFirst(() => (flags.out === undefined ? TE.right(undefined) : prepareFolder(flags.out))),
    TE.map(({ open, contenders }) => ({ experiment: open.experiment, results: contenders.map(runContender(open)) })),
    TE.chainFirst(({ experiment, results }) =>
      flags.out === undefined ? TE.right(undefined) : writeResults(flags.out, resultFiles(asSeenFrom(flags.out, experiment), results)),
    ),
    TE.map(({ results }) => print(results, flags)),
  );

const runContender =
  ({ experiment, options }: ProfiledExperiment) =>
  ({ name, schedule }: Contender): Outcome => {
    const [first, ...others] = unsuitable(experiment, schedule);
    if (first !== undefined) return { name, result: E.left(badInput('does not apply', [first, ...others])) };
    return {
      name,
      result: pipe(
        planExperiment({ ...experiment, schedule }, options),
        E.mapLeft(doesNotFit),
        E.chain(({ plan, cost }) => runSimulation(plan, cost, experiment.cluster)),
        E.chain((simulation) => {
          const failure = memoryFailure(simulation.trace);
          return failure === null ? E.right(simulation) : E.left(failure);
        }),
      ),
    };
  };

const HEADER = ['schedule', 'makespan', 'tokens/s', 'bubble ratio', 'peak memory', 'of'] as const;

const tableRow = ({ name, result }: Outcome): string[] => {
  if (E.isLeft(result)) return [name, '-', '', '', '', ''];
  const { makespanSeconds, tokensPerSecond, bubbleRatio, devices } = result.right.summary;
  const fullest = devices.reduce((a, b) => (b.peakMemoryBytes > a.peakMemoryBytes ? b : a));
  return [
    name,
    formatDuration(makespanSeconds * NS_PER_S),
    tokensPerSecond.toFixed(0),
    bubbleRatio.toFixed(4),
    formatBytes(fullest.peakMemoryBytes),
    formatBytes(fullest.capacityBytes),
  ];
};

const print = (results: readonly Outcome[], { json, out }: CompareFlags): void => {
  if (json === true) {
    const objects = results.map(({ name, result }) =>
      E.isLeft(result)
        ? { name, failure: formatFailure(result.left) }
        : { name, ...result.right.summary, wallSeconds: result.right.wallSeconds },
    );
    process.stdout.write(`${JSON.stringify({ schedules: objects }, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${formatTable([[...HEADER], ...results.map(tableRow)])}\n`);
  const failures = results.flatMap(({ name, result }) => (E.isLeft(result) ? [`${name}: ${formatFailure(result.left)}`] : []));
  if (failures.length > 0) process.stdout.write(`\n${failures.join('\n')}\n`);
  if (out !== undefined) process.stdout.write(`\nresults are in ${out}; open ${out}/report.html in a browser\n`);
};

const csvOf = (results: readonly Outcome[]): string =>
  stringify(
    results.map(({ name, result }) => {
      if (E.isLeft(result)) return { schedule: name, failure: formatFailure(result.left) };
      const { makespanSeconds, tokensPerSecond, bubbleRatio, devices } = result.right.summary;
      const peakMemoryBytes = Math.max(...devices.map((device) => device.peakMemoryBytes));
      return { schedule: name, makespanSeconds, tokensPerSecond, bubbleRatio, peakMemoryBytes };
    }),
    { header: true, columns: ['schedule', 'makespanSeconds', 'tokensPerSecond', 'bubbleRatio', 'peakMemoryBytes', 'failure'] },
  );

/** A picture of every schedule that ran, all on the time axis of the longest. */
const pictures = (results: readonly Outcome[]): ResultFiles => {
  const ran = results.flatMap(({ name, result }) => (E.isLeft(result) ? [] : [{ name, simulation: result.right }]));
  const endNs = Math.max(...ran.map(({ simulation }) => makespanNs(simulation.trace)));
  const entries = ran.map(({ name, simulation: { trace, summary } }): [string, string] => [
    `${name.replaceAll(/[^a-z0-9]+/g, '-')}.svg`,
    timelineSvg(trace, { title: name, subtitle: subtitleOf(summary), endNs, memory: false, bubbles: true }),
  ]);
  return withPngs(Object.fromEntries(entries));
};

const resultFiles = (experiment: Experiment, results: readonly Outcome[]): ResultFiles => {
  const settings = formatExperiment(experiment);
  return {
    ...pictures(results),
    'experiment.yaml': settings,
    'schedules.csv': csvOf(results),
    'run.json': JSON.stringify(provenance(), null, 2),
    'report.html': reportPage({
      title: experiment.name,
      subtitle: `every schedule on ${experiment.cluster.name}, simulated`,
      metrics: [],
      traces: results.flatMap(({ name, result }) =>
        E.isLeft(result) ? [] : [{ label: name, subtitle: subtitleOf(result.right.summary), trace: result.right.trace }],
      ),
      losses: [],
      settings,
    }),
  };
};
