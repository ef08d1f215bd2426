import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { KIND } from '../../core/plan/op.ts';
import { problem } from '../../core/problem.ts';
import { makePolicy, type PolicyName } from '../../core/scheduler/policy.ts';
import { formatChromeTrace } from '../../core/trace/chrome-trace.ts';
import { summarize } from '../../core/trace/summary.ts';
import { traceWindow } from '../../core/trace/trace-window.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { NS_PER_S } from '../../core/units.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { formatFile } from '../../exec/exec-error.ts';
import type { LiveEvent, LiveJob, LiveRefusal, LiveRunOptions } from '../../exec/live/live-run.ts';
import { runArrivals, type ArrivedRun } from '../../exec/live/run-arrivals.ts';
import { checkTrainable } from '../../exec/run/trainable-schedule.ts';
import { livePipeline } from '../../sim/live-pipeline.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import { badInput, execution, type Failure } from '../failure.ts';
import { withPngs } from '../picture.ts';
import { openProfiled, type ProfileFlags, type ProfiledExperiment } from '../profile-option.ts';
import { subtitleOf } from '../summary.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface LiveFlags extends ProfileFlags {
  readonly backend: BackendName | 'auto';
  readonly out: string;
  readonly policy: PolicyName;
  readonly slots: number;
}

interface LiveSetting {
  readonly options: LiveRunOptions;
  readonly jobs: readonly LiveJob[];
}

/** `mlora live`: the jobs of an experiment come at their times, with their priorities, while ranks and base model stay up. */
export const liveCommand = (path: string, flags: LiveFlags): TE.TaskEither<Failure, void> =>
  pipe(
    openProfiled(path, flags),
    TE.chainEitherKW((open) => settingOf(path, open, flags)),
    TE.chainFirst(() => prepareFolder(flags.out)),
    TE.chain(({ options, jobs }) => pipe(runArrivals(options, jobs), TE.mapLeft(execution))),
    TE.chain((ran) => report(ran, flags)),
  );

const QUANTUM_NS = 60 * NS_PER_S;

const settingOf = (path: string, { experiment, options: { profileOf } }: ProfiledExperiment, flags: LiveFlags): E.Either<Failure, LiveSetting> => {
  const { modelSource, schedule, jobs } = experiment;
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
    onEvent: createTeller(),
  };
  return E.right({ options, jobs: jobs.map((job) => ({ id: job.name, user: 'all', job })) });
};

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

const report = ({ trace, refused }: ArrivedRun, { out }: LiveFlags): TE.TaskEither<Failure, void> => {
  const title = 'live run';
  const files = {
    'trace.json': formatChromeTrace(trace),
    'timeline.svg': timelineSvg(trace, { title, subtitle: subtitleOf(summarize(trace)) }),
    ...preemptionFiles(trace),
  };
  return pipe(
    writeResults(out, withPngs(files)),
    TE.chainEitherK(() => {
      process.stdout.write(`adapters are in ${out}/jobs, the timeline is ${out}/timeline.svg\n`);
      const lines = refused.map(({ job, refusal }) => `${job}: ${formatRefusal(refusal)}`);
      return lines.length === 0 ? E.right(undefined) : E.left<Failure>({ kind: 'failed', message: lines.join('\n') });
    }),
  );
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
