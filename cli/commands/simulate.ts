import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { formatExperiment } from '../../core/experiment/format.ts';
import { formatPlanFile } from '../../core/experiment/plan-file-text.ts';
import { formatChromeTrace } from '../../core/trace/chrome-trace.ts';
import type { TraceSummary } from '../../core/trace/summary.ts';
import type { PlanError } from '../../core/planners/plan-error.ts';
import type { ThemeName } from '../../viz/theme.ts';
import type { ColourBy } from '../../viz/timeline/colour-by.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import type { MetricRow } from '../../viz/report.ts';
import type { Failure } from '../failure.ts';
import { asSeenFrom } from '../../exec/run/open-experiment.ts';
import { idleRows } from '../idle-table.ts';
import { openPricedPlan, type PricedPlan } from '../priced-plan.ts';
import type { ProfileFlags } from '../profile-option.ts';
import { withPngs } from '../picture.ts';
import { provenance } from '../provenance.ts';
import { reportPage } from '../report-page.ts';
import { memoryFailure, runSimulation, type Simulation } from '../run-simulation.ts';
import { formatMetrics, metricRows, subtitleOf } from '../summary.ts';
import { prepareFolder, writeResults, type ResultFiles } from '../write-results.ts';

export interface SimulateFlags extends ProfileFlags {
  readonly json?: boolean;
  readonly out?: string;
  /** Colours of the pictures. */
  readonly theme: ThemeName;
  /** Width of the pictures in pixels. */
  readonly width: number;
  /** What colours tell apart. */
  readonly colours: ColourBy;
  /** Shades idle time by cause. */
  readonly bubbles?: boolean;
}

/** `mlora simulate`: replays an experiment's plan, or a plan file, in virtual time. */
export const simulateCommand = (path: string, flags: SimulateFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openPricedPlan(path, { ...flags, onMisfit: (schedule, error) => flags.json === true && printJson(misfitJson(schedule, error)) }),
    TE.chainFirst(() => (flags.out === undefined ? TE.right(undefined) : prepareFolder(flags.out))),
    TE.bindW('simulation', ({ plan, cost, experiment }) => TE.fromEither(runSimulation(plan, cost, experiment.cluster))),
    TE.chainFirst((run) => (flags.out === undefined ? TE.right(undefined) : writeResults(flags.out, resultFiles(run, flags.out, flags)))),
    TE.chainEitherK(({ simulation }) => finish(simulation, flags)),
  );

const resultFiles = (
  run: PricedPlan & { readonly simulation: Simulation },
  folder: string,
  { theme, width, colours: colourBy, bubbles = false }: Pick<SimulateFlags, 'theme' | 'width' | 'colours' | 'bubbles'>,
): ResultFiles => {
  const { plan, simulation } = run;
  const experiment = asSeenFrom(folder, run.experiment);
  const { trace, summary } = simulation;
  const settings = formatExperiment(experiment);
  return withPngs({
    'experiment.yaml': settings,
    'plan.json': formatPlanFile({ experiment, plan }),
    'trace.json': formatChromeTrace(trace),
    'summary.json': JSON.stringify(summaryJson(simulation), null, 2),
    'run.json': JSON.stringify(provenance(), null, 2),
    'timeline.svg': timelineSvg(trace, { title: experiment.name, subtitle: subtitleOf(summary), theme, width, colourBy, bubbles }),
    'report.html': reportPage({
      title: experiment.name,
      subtitle: `${summary.schedule} on ${experiment.cluster.name}, simulated`,
      metrics: rowsOf(simulation),
      traces: [{ label: 'Simulated', subtitle: subtitleOf(summary), trace }],
      losses: [],
      settings,
    }),
  });
};

const rowsOf = ({ summary, trace }: Simulation): MetricRow[] => [...metricRows(summary, null), ...idleRows(trace, null)];

const summaryJson = ({ summary, wallSeconds }: Simulation): TraceSummary & { readonly wallSeconds: number } => ({
  ...summary,
  wallSeconds,
});

/** The same object for a plan that does not fit: nothing ran, so only the verdict has values. */
const misfitJson = (schedule: string, error: PlanError): unknown => ({
  schedule,
  makespanSeconds: null,
  tokensPerSecond: null,
  bubbleRatio: null,
  opCount: 0,
  wallSeconds: 0,
  devices: [],
  jobs: [],
  outOfMemory: { device: error.device, class: error.memoryClass, bytes: error.requiredBytes - error.capacityBytes },
});

const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

const finish = (simulation: Simulation, { json, out }: SimulateFlags): E.Either<Failure, void> => {
  if (json === true) printJson(summaryJson(simulation));
  else {
    process.stdout.write(`${formatMetrics(rowsOf(simulation))}\n`);
    if (out !== undefined) process.stdout.write(`\nresults are in ${out}; open ${out}/report.html in a browser\n`);
  }
  const failure = memoryFailure(simulation.trace);
  return failure === null ? E.right(undefined) : E.left(failure);
};
