import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { JobGrid } from '../../core/experiment/job-grid.ts';
import type { Job } from '../../core/job.ts';
import { problem } from '../../core/problem.ts';
import { makePolicy, type PolicyName } from '../../core/scheduler/policy.ts';
import { NS_PER_S } from '../../core/units.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { formatFile } from '../../exec/exec-error.ts';
import { createLiveLosses, type LiveLosses } from '../../exec/live/live-losses.ts';
import type { LiveEvent, LiveJob, LiveRefusal, LiveRunOptions } from '../../exec/live/live-run.ts';
import { runArrivals, type ArrivedRun } from '../../exec/live/run-arrivals.ts';
import { checkTrainable } from '../../exec/run/trainable-schedule.ts';
import { bestTrial, formatTrials, trialRows, trialsCsv, type TrialRow } from '../../experiments/trials/trials.ts';
import { livePipeline } from '../../sim/live-pipeline.ts';
import { badInput, execution, type Failure } from '../failure.ts';
import { liveFiles } from '../live-files.ts';
import { keepSettings } from '../live-settings.ts';
import { withPngs } from '../picture.ts';
import { openProfiled, type ProfileFlags, type ProfiledExperiment } from '../profile-option.ts';
import { provenance } from '../provenance.ts';
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
  const grids = experiment.grids.map((grid) => ({ grid, rows: trialRows(grid, ends) }));
  const files: ResultFiles = {
    ...Object.fromEntries(grids.map(({ grid, rows }) => [`trials-${grid.job}.csv`, trialsCsv(grid, rows)])),
    'run.json': JSON.stringify(provenance(), null, 2),
    // A run that found every job finished has nothing to show, and must not write over what the earlier one has shown.
    ...(trace.spans.length === 0 ? {} : liveFiles({ experiment, trace, losses: losses.all(), slots: options.scheduler.slots, out })),
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

const sayTrials = (grid: JobGrid, rows: readonly TrialRow[]): string => {
  const best = bestTrial(rows);
  const verdict = best === null ? `no trial of ${grid.job} has an adapter` : `the best trial is ${best.name} with a held-out loss of ${best.end.heldoutLoss.toFixed(4)}; its adapter is ${best.end.adapterFolder}`;
  return `\n${formatTrials(grid, rows)}\n\n${verdict}`;
};
