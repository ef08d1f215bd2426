import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'csv-stringify/sync';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Experiment } from '../../core/experiment/experiment.ts';
import { describeExperiment, formatExperiment } from '../../core/experiment/format.ts';
import type { JobGrid } from '../../core/experiment/job-grid.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import type { Job } from '../../core/job.ts';
import { KIND } from '../../core/plan/op.ts';
import { problem, type Problems } from '../../core/problem.ts';
import { makePolicy, type PolicyName } from '../../core/scheduler/policy.ts';
import { isRecord } from '../../core/structure.ts';
import { formatChromeTrace } from '../../core/trace/chrome-trace.ts';
import { summarize } from '../../core/trace/summary.ts';
import { traceWindow } from '../../core/trace/trace-window.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { NS_PER_S } from '../../core/units.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { formatFile } from '../../exec/exec-error.ts';
import { createLiveLosses, type JobLosses, type LiveLosses } from '../../exec/live/live-losses.ts';
import type { LiveEvent, LiveJob, LiveRefusal, LiveRunOptions } from '../../exec/live/live-run.ts';
import { runArrivals, type ArrivedRun } from '../../exec/live/run-arrivals.ts';
import { asSeenFrom } from '../../exec/run/open-experiment.ts';
import { checkTrainable } from '../../exec/run/trainable-schedule.ts';
import { bestTrial, formatTrials, trialRows, trialsCsv, type TrialRow } from '../../experiments/trials/trials.ts';
import { livePipeline } from '../../sim/live-pipeline.ts';
import type { MetricRow } from '../../viz/report.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import { badInput, execution, type Failure } from '../failure.ts';
import { withPngs } from '../picture.ts';
import { openProfiled, type ProfileFlags, type ProfiledExperiment } from '../profile-option.ts';
import { provenance } from '../provenance.ts';
import { reportPage } from '../report-page.ts';
import { metricRows, subtitleOf } from '../summary.ts';
import { prepareFolder, writeResults, type ResultFiles } from '../write-results.ts';

export interface LiveFlags extends ProfileFlags {
  readonly backend: BackendName | 'auto';
  readonly out: string;
  readonly policy: PolicyName;
  readonly slots: number;
}

interface LiveSetting {
  readonly experiment: Experiment;
  readonly options: LiveRunOptions;
  readonly jobs: readonly LiveJob[];
  readonly losses: LiveLosses;
}

/** What a run came to. */
interface LiveResult extends LiveSetting {
  readonly ran: ArrivedRun;
}

/** `mlora live`: the jobs of an experiment come at their times, with their priorities, while ranks and base model stay up. */
export const liveCommand = (path: string, flags: LiveFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openProfiled(path, flags),
    TE.chainEitherKW((open) => settingOf(path, open, flags)),
    TE.chainFirst(() => prepareFolder(flags.out)),
    TE.chainFirst(({ experiment }) => keepSettings(experiment, flags.out)),
    TE.bind('ran', ({ options, jobs }) => pipe(runArrivals(options, jobs), TE.mapLeft(execution))),
    TE.chain((result) => report(result, flags)),
  );

/** Of a run of hours; older ones are not in the pictures. */
const TRACE_OPS = 200_000;
const QUANTUM_NS = 60 * NS_PER_S;

const settingOf = (path: string, { experiment, options: { profileOf } }: ProfiledExperiment, flags: LiveFlags): E.Either<Failure, LiveSetting> => {
  const { modelSource, schedule, jobs } = experiment;
  const losses = createLiveLosses();
  const say = createTeller();
  if (modelSource.kind === 'preset' || jobs.some(({ data }) => data.kind !== 'files')) {
    return E.left(badInput(path, [problem('', 'a live run needs a model folder and rows in files for every job')]));
  }
  const [untrainable, ...others] = checkTrainable(schedule);
  if (untrainable !== undefined) return E.left(badInput(path, [untrainable, ...others]));
  const options: LiveRunOptions = {
    ...livePipeline(experiment, profileOf),
    model: experiment.model,
    modelFolder: modelSource.path,
    backend: flags.backend,
    scheduler: { policy: makePolicy(flags.policy, { quantumNs: QUANTUM_NS, levelNs: QUANTUM_NS }), slots: flags.slots },
    microbatches: schedule.microbatches,
    checkpoint: experiment.checkpoint,
    folder: flags.out,
    ranks: 'processes',
    traceOps: TRACE_OPS,
    onEvent: (event) => {
      losses.onEvent(event);
      say(event);
    },
  };
  return E.right({ experiment, options, jobs: jobs.map(asLiveJob), losses });
};

const asLiveJob = ({ patience, halving, ...job }: Job): LiveJob => ({
  id: job.name,
  user: 'all',
  job,
  ...(patience === undefined ? {} : { patience }),
  ...(halving === undefined ? {} : { sweep: halving }),
});

/**
 * Writes the experiment into the folder, unless that holds jobs of these names with other settings: they would be told as
 * finished with what they were then.
 */
const keepSettings = (experiment: Experiment, out: string): TE.TaskEither<Failure, void> => {
  const seen = asSeenFrom(out, experiment);
  const kept = join(out, 'experiment.yaml');
  return pipe(
    TE.fromTask(() => readFile(kept, 'utf8').catch(() => 'jobs: []')),
    TE.chainEitherK((text) => changedJobs(text, seen)),
    TE.mapLeft((names) => badInput(kept, names.map((name) => problem(`job ${name}`, 'has other settings here than in the experiment; choose another folder with --out')) as unknown as Problems)),
    TE.chain(() => writeResults(out, { 'experiment.yaml': formatExperiment(seen) })),
  );
};

/** Jobs of an earlier experiment that are others now. Left: their names. */
const changedJobs = (text: string, now: Experiment): E.Either<readonly string[], void> => {
  const earlier = E.toUnion(parseYaml(text));
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  const jobs = plain(describeExperiment(now).jobs) as readonly Readonly<Record<string, unknown>>[];
  const before: readonly unknown[] = isRecord(earlier) && Array.isArray(earlier.jobs) ? earlier.jobs : [];
  const isOther = (job: Readonly<Record<string, unknown>>): boolean =>
    before.some((each) => isRecord(each) && each.name === job.name && !isDeepStrictEqual({ ...each, ...FREE }, { ...job, ...FREE }));
  const names = jobs.filter(isOther).map(({ name }) => String(name));
  return names.length === 0 ? E.right(undefined) : E.left(names);
};

/** What may change from run to run. */
const FREE = { arrival: 0, priority: 0 };

/** Prints what happens to jobs, with seconds since the ranks were up. */
const createTeller = (): ((event: LiveEvent) => void) => {
  let start = performance.now();
  return (event) => {
    if (event.kind === 'ready') start = performance.now();
    const line = describe(event);
    if (line !== null) process.stdout.write(`${((performance.now() - start) / 1000).toFixed(2).padStart(8)} s  ${line}\n`);
  };
};

const describe = (event: LiveEvent): string | null => {
  switch (event.kind) {
    case 'queued':
    case 'admitted':
      return `${event.job} ${event.kind}`;
    case 'resumed':
    case 'preempted':
      return `${event.job} ${event.kind} after ${event.iteration} iterations`;
    case 'evaluated':
      return `${event.job} has a held-out loss of ${event.loss.toFixed(4)} after ${event.iteration} iterations`;
    case 'finished':
      return `${event.job} ${event.outcome} after ${event.iteration} iterations${event.error === null ? '' : `: ${event.error}`}`;
    default:
      return null;
  }
};

const formatRefusal = (refusal: LiveRefusal): string => {
  switch (refusal.kind) {
    case 'badInput':
      return refusal.files.map(formatFile).join('\n');
    case 'neverFits':
      return `needs ${refusal.requiredBytes} bytes on ${refusal.device}, which has ${refusal.availableBytes} for jobs`;
    case 'duplicate':
      return 'another job has this name';
    case 'closed':
      return 'the run had ended';
  }
};

const report = ({ experiment, options, losses, ran }: LiveResult, { out }: LiveFlags): TE.TaskEither<Failure, void> => {
  const { trace, ends, refused } = ran;
  const summary = summarize(trace);
  const title = experiment.name;
  const subtitle = subtitleOf(summary);
  const grids = experiment.grids.map((grid) => ({ grid, rows: trialRows(grid, ends) }));
  const files: ResultFiles = {
    ...Object.fromEntries(grids.map(({ grid, rows }) => [`trials-${grid.job}.csv`, trialsCsv(grid, rows)])),
    'run.json': JSON.stringify(provenance(), null, 2),
    // A run that found every job finished has nothing to show, and must not write over what the earlier one has shown.
    ...(trace.spans.length === 0 ? {} : runFiles({ experiment, trace, losses: losses.all(), title, subtitle, metrics: metricRows(null, summary), slots: options.scheduler.slots, out })),
  };
  return pipe(
    writeResults(out, withPngs(files)),
    TE.chainEitherK(() => {
      process.stdout.write([...grids.map(({ grid, rows }) => sayTrials(grid, rows)), `adapters are in ${out}/jobs; open ${out}/report.html in a browser\n`].join('\n'));
      const lines = refused.map(({ job, refusal }) => `${job}: ${formatRefusal(refusal)}`);
      return lines.length === 0 ? E.right(undefined) : E.left<Failure>({ kind: 'failed', message: lines.join('\n') });
    }),
  );
};

interface RunToShow {
  readonly experiment: Experiment;
  readonly trace: Trace;
  readonly losses: readonly JobLosses[];
  readonly title: string;
  readonly subtitle: string;
  readonly metrics: readonly MetricRow[];
  readonly slots: number;
  readonly out: string;
}

const runFiles = ({ experiment, trace, losses, title, subtitle, metrics, slots, out }: RunToShow): ResultFiles => ({
  'trace.json': formatChromeTrace(trace),
  'timeline.svg': timelineSvg(trace, { title, subtitle }),
  'losses.csv': lossesCsv(losses),
  'report.html': reportPage({
    title,
    subtitle: `a live run on ${experiment.cluster.name}, up to ${slots} jobs at once`,
    metrics,
    traces: [{ label: 'Measured', subtitle, trace }],
    losses: losses.map(({ job, training, heldout }) => ({ name: job, training, heldout })),
    settings: formatExperiment(asSeenFrom(out, experiment)),
  }),
  ...preemptionFiles(trace),
});

const lossesCsv = (losses: readonly JobLosses[]): string =>
  stringify(
    losses.flatMap(({ job, training, heldout }) => [
      ...training.map((each) => ({ adapter: job, set: 'train', ...each })),
      ...heldout.map((each) => ({ adapter: job, set: 'heldout', ...each })),
    ]),
    { header: true, columns: ['adapter', 'iteration', 'set', 'loss'] },
  );

const sayTrials = (grid: JobGrid, rows: readonly TrialRow[]): string => {
  const best = bestTrial(rows);
  const verdict = best === null ? `no trial of ${grid.job} has an adapter` : `the best trial is ${best.name} with a held-out loss of ${best.end.heldoutLoss.toFixed(4)}; its adapter is ${best.end.adapterFolder}`;
  return `\n${formatTrials(grid, rows)}\n\n${verdict}`;
};

/** Time shown before a job gives its place away, and after it has it back. */
const MARGIN_NS = 0.5 * NS_PER_S;

/** The first preemption by itself: from a while before a job is taken off until a while after it is back. */
const preemptionFiles = (trace: Trace): Readonly<Record<string, string>> => {
  const stay = firstPreemption(trace);
  if (stay === null) return {};
  const window = traceWindow(trace, stay.awayNs - MARGIN_NS, stay.backNs + MARGIN_NS);
  return { 'preemption.svg': timelineSvg(window, { title: `${trace.plan.adapters[stay.adapter]!} is preempted`, subtitle: 'measured', memory: false }) };
};

/** When an adapter left the first stage that came back later, and when it came back. */
const firstPreemption = ({ spans }: Trace): { readonly adapter: number; readonly awayNs: number; readonly backNs: number } | null => {
  const away = new Map<number, number>();
  for (let row = 0; row < spans.length; row++) {
    if (spans.stage[row] !== 0) continue;
    const adapter = spans.operand[row]!;
    if (spans.kind[row] === KIND.release) away.set(adapter, spans.endNs[row]!);
    if (spans.kind[row] === KIND.load && away.has(adapter)) return { adapter, awayNs: away.get(adapter)!, backNs: spans.startNs[row]! };
  }
  return null;
};
