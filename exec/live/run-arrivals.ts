import { setTimeout } from 'node:timers/promises';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { Trace } from '../../core/trace/trace.ts';
import { NS_PER_MS } from '../../core/units.ts';
import type { ExecError } from '../exec-error.ts';
import type { LiveEvent, LiveFinish, LiveJob, LiveRefusal, LiveRun, LiveRunOptions } from './live-run.ts';
import { startLiveRun } from './start-live-run.ts';

/** What became of jobs that came one after the other. */
export interface ArrivedRun {
  readonly trace: Trace;
  readonly ends: readonly LiveFinish[];
  readonly refused: readonly { readonly job: string; readonly refusal: LiveRefusal }[];
}

/** Waits for the ends of jobs, or of the run. */
interface Ends {
  readonly note: (event: LiveEvent) => void;
  readonly of: (jobs: readonly string[]) => Promise<E.Either<ExecError, readonly LiveFinish[]>>;
}

const createEnds = (): Ends => {
  const ends = new Map<string, LiveFinish>();
  let failure: ExecError | null = null;
  let wake = (): void => undefined;
  return {
    note: (event) => {
      if (event.kind === 'finished') ends.set(event.job, event);
      else if (event.kind === 'ended') failure = event.error;
      else return;
      wake();
    },
    of: async (jobs) => {
      while (failure === null && jobs.some((job) => !ends.has(job))) await new Promise<void>((resolve) => (wake = resolve));
      return failure === null ? E.right(jobs.map((job) => ends.get(job)!)) : E.left(failure);
    },
  };
};

const submitInTime = async (run: LiveRun, jobs: readonly LiveJob[]): Promise<ArrivedRun['refused']> => {
  const refused: { readonly job: string; readonly refusal: LiveRefusal }[] = [];
  const start = performance.now();
  for (const job of [...jobs].sort((a, b) => a.job.arrivalNs - b.job.arrivalNs)) {
    await setTimeout(Math.max(0, job.job.arrivalNs / NS_PER_MS - (performance.now() - start)));
    const submitted = await run.submit(job)();
    if (E.isLeft(submitted)) refused.push({ job: job.id, refusal: submitted.left });
  }
  return refused;
};

/** A live run of jobs that come at the times they name, counted from when the ranks are up; it ends when all of them have. */
export const runArrivals =
  (options: LiveRunOptions, jobs: readonly LiveJob[]): TaskEither<ExecError, ArrivedRun> =>
  async () => {
    const waiting = createEnds();
    const onEvent = (event: LiveEvent): void => {
      waiting.note(event);
      options.onEvent(event);
    };
    const started = await startLiveRun({ ...options, onEvent })();
    if (E.isLeft(started)) return started;
    const refused = await submitInTime(started.right, jobs);
    const taken = jobs.map(({ id }) => id).filter((id) => refused.every(({ job }) => job !== id));
    const ends = await waiting.of(taken);
    await started.right.close();
    return E.map((all: readonly LiveFinish[]): ArrivedRun => ({ trace: started.right.trace(), ends: all, refused }))(ends);
  };
