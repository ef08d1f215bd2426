import * as E from 'fp-ts/lib/Either.js';
import type { JobProgress } from '../run/job-records.ts';
import { iterationsDone } from '../run/job-records.ts';
import { handle, nowNs } from './carry-out.ts';
import { jobFolder, type SavedOutcome } from './job-folder.ts';
import { jobSpecOf, workloadOfJob } from './job-spec.ts';
import type { LiveJob, LiveRefusal } from './live-run.ts';
import { tell, tellOf, type Live, type LiveEntry } from './live-state.ts';
import { checkLiveJob, earlierOutcome, openJob, type OpenJob } from './open-job.ts';

const NS_PER_MS = 1e6;

type Submitted = E.Either<LiveRefusal, void>;

const isOpen = ({ phase }: Live): boolean => phase === 'running';

/** Takes a job: its end where it has one, else it goes on from its checkpoint or begins. Other trials of its sweep do not wait for one that is refused. */
export const submitJob = async (live: Live, job: LiveJob): Promise<Submitted> => {
  const submitted = await takeJob(live, job);
  if (job.sweep !== undefined && E.isLeft(submitted) && submitted.left.kind === 'badInput') handle(live, { kind: 'trialRefused', sweep: job.sweep });
  return submitted;
};

const takeJob = async (live: Live, job: LiveJob): Promise<Submitted> => {
  if (!isOpen(live)) return E.left({ kind: 'closed' });
  const problems = checkLiveJob(job);
  if (problems !== null) return E.left({ kind: 'badInput', files: [{ file: 'job', problems }] });
  if (live.entries.has(job.id)) return E.left({ kind: 'duplicate' });
  const earlier = await earlierOutcome(live.options.folder, job.id);
  if (E.isLeft(earlier)) return earlier;
  if (earlier.right !== null) return tellEarlier(live, job, earlier.right);
  const opened = await openJob(job, live.options);
  if (E.isLeft(opened)) return opened;
  // It may have been closed while files were read.
  return isOpen(live) ? enter(live, opened.right) : E.left({ kind: 'closed' });
};

const tellEarlier = async (live: Live, { id }: LiveJob, { hasAdapter, ...end }: SavedOutcome): Promise<Submitted> => {
  const { adapter } = jobFolder(live.options.folder, id);
  tell(live, { kind: 'finished', job: id, ...end, adapterFolder: hasAdapter ? adapter : null });
  await live.telling;
  return E.right(undefined);
};

const entryOf = (live: Live, { progress, ...opened }: OpenJob): LiveEntry => {
  const kind = live.kinds.kindOf(opened.live.job);
  const workload = workloadOfJob(opened.live.id, opened.trainJob, 0);
  const times = { ...live.times, cost: live.kinds.cost() };
  return {
    ...opened,
    kind,
    workload,
    spec: jobSpecOf(opened.live, workload, times, { number: kind, name: live.kinds.nameOf(kind) }),
    states: new Map(progress.state === null ? [] : [[progress.state.iteration, progress.state]]),
    unwritten: [],
    heldoutBefore: progress.heldoutBefore,
    losses: [...progress.losses],
    evaluations: progress.evaluations,
    evaluatedAt: progress.evaluations.at(-1)?.iteration ?? null,
    stoppedAt: null,
    stay: null,
    failure: null,
    heldBytes: null,
    measured: 0,
    telling: Promise.resolve(),
  };
};

const enter = async (live: Live, opened: OpenJob): Promise<Submitted> => {
  const entry = entryOf(live, opened);
  const { id, submittedMs } = opened.live;
  live.entries.set(id, entry);
  const start = startOf(opened.progress);
  let confirm = (): void => undefined;
  const taken = new Promise<void>((resolve) => (confirm = resolve));
  const queued = tellOf(live, entry, { kind: 'queued', job: id, iteration: start.iteration, iterations: entry.spec.iterations }, taken);
  const waitedNs = submittedMs === undefined ? 0 : Math.max(0, (Date.now() - submittedMs) * NS_PER_MS);
  handle(live, { kind: 'submitted', job: entry.spec, start, timeNs: nowNs(live) - waitedNs });
  const reason = live.refusals.get(id);
  if (reason === undefined) {
    confirm();
    await queued;
    return E.right(undefined);
  }
  live.refusals.delete(id);
  live.entries.delete(id);
  if (reason.kind === 'duplicate') return E.left(reason);
  const { device, requiredBytes, availableBytes } = reason;
  return E.left({ kind: 'neverFits', device: live.options.devices[device]!, requiredBytes, availableBytes });
};

const startOf = (progress: JobProgress): { readonly iteration: number; readonly evaluations: JobProgress['evaluations'] } => ({
  iteration: iterationsDone(progress),
  evaluations: progress.evaluations,
});
