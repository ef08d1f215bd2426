/**
 * Jobs of a server: what clients ask for goes into the book before it goes to the run, and what the run tells goes into
 * the book before clients hear of it. So whatever is killed, the book is what was promised, and the run makes it true.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../core/error-message.ts';
import { problem, type Problem } from '../core/problem.ts';
import { hasEnded, type ServedJob } from '../core/served-job.ts';
import { formatFile } from '../exec/exec-error.ts';
import type { LiveJob, LiveRefusal, LiveRun } from '../exec/live/live-run.ts';
import { asRequested, dropRows, keepRows, type JobFilesOptions } from './job-files.ts';
import type { Recorder } from './recorder.ts';
import type { JobBook, OpenJob } from './state/job-book.ts';
import { readSubmission, type ServerSetup, type Submission } from './submission.ts';

export type SubmitAnswer =
  /** The job is in the book and in the run; not `isNew`: this request had been made before. */
  | { readonly kind: 'accepted'; readonly job: ServedJob; readonly isNew: boolean }
  /** Another request was made under this key. */
  | { readonly kind: 'conflict'; readonly job: string }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'full'; readonly most: number }
  | { readonly kind: 'closed' };

export type ChangeAnswer =
  | { readonly kind: 'done'; readonly job: ServedJob }
  | { readonly kind: 'unknown' }
  /** Nothing can be changed about it any more. */
  | { readonly kind: 'ended'; readonly job: ServedJob };

export interface JobService {
  /** `key`: the client's own name of the request; null: it has none. */
  readonly submit: (body: unknown, key: string | null) => Promise<SubmitAnswer>;
  readonly cancel: (name: string) => ChangeAnswer;
  readonly changePriority: (name: string, priority: number) => ChangeAnswer;
  /** Takes no more jobs. */
  readonly close: () => void;
}

export interface JobServiceOptions {
  readonly setup: ServerSetup;
  readonly book: JobBook;
  readonly recorder: Recorder;
  /** Resolves when the run is up. */
  readonly run: Promise<LiveRun>;
  /** Rows of unfinished jobs are kept below this folder. */
  readonly rowsFolder: string;
  readonly files: JobFilesOptions;
  /** Most jobs that have not ended. */
  readonly mostJobs: number;
  readonly onNote: (text: string) => void;
}

const fingerprint = (body: unknown): string => createHash('sha256').update(JSON.stringify(body)).digest('hex');

const explain = (refusal: Exclude<LiveRefusal, { readonly kind: 'badInput' }>): string => {
  switch (refusal.kind) {
    case 'neverFits':
      return `needs up to ${refusal.requiredBytes} bytes on ${refusal.device}, which has ${refusal.availableBytes} for jobs; a smaller batchSize, rank or maximumLength needs less`;
    case 'duplicate':
      return 'is in the queue already';
    case 'closed':
      return 'the server is being stopped';
  }
};

const whyNot = (refusal: LiveRefusal): string => (refusal.kind === 'badInput' ? refusal.files.map(formatFile).join('\n') : explain(refusal));

export const createJobService = (options: JobServiceOptions): JobService => {
  const { setup, book, recorder, rowsFolder, files, mostJobs } = options;
  /** Requests with a key that are being worked on. */
  const pending = new Map<string, { readonly request: string; readonly answer: Promise<SubmitAnswer> }>();
  let run: LiveRun | null = null;
  let isClosed = false;

  const folderOf = (number: number): string => join(rowsFolder, String(number));

  const asLiveJob = (id: string, { job: { patience, halving, ...job }, user }: Submission, data: LiveJob['job']['data'], submittedMs: number): LiveJob => ({
    id,
    user,
    job: { ...job, data },
    ...(patience === undefined ? {} : { patience }),
    ...(halving === undefined ? {} : { sweep: halving }),
    submittedMs,
  });

  const withdraw = async (number: number): Promise<void> => {
    book.remove(number);
    await dropRows(folderOf(number));
  };

  /** Hands a job that is in the book to the run; problems where it is not taken. */
  const handOver = async (number: number, id: string, submission: Submission, atMs: number): Promise<readonly Problem[] | 'closed'> => {
    const live = await options.run;
    const data = await keepRows(submission, folderOf(number), files);
    if (E.isLeft(data)) return data.left;
    const work = asLiveJob(id, submission, data.right, atMs);
    book.setWork(number, JSON.stringify(work));
    const taken = await live.submit(work)();
    if (E.isRight(taken)) return [];
    const refusal = taken.left;
    if (refusal.kind === 'closed') return 'closed';
    return refusal.kind === 'badInput' ? asRequested(refusal.files, data.right, submission) : [problem('', explain(refusal))];
  };

  const submitNew = async (submission: Submission, key: string | null, request: string): Promise<SubmitAnswer> => {
    if (book.unfinished() >= mostJobs) return { kind: 'full', most: mostJobs };
    const { job, user } = submission;
    const atMs = Date.now();
    const { number, id } = book.enter({ name: job.name, user, priority: job.priority, key, request, atMs });
    try {
      const wrong = await handOver(number, id, submission, atMs);
      if (wrong === 'closed' || wrong.length > 0) {
        await withdraw(number);
        return wrong === 'closed' ? { kind: 'closed' } : { kind: 'refused', problems: wrong };
      }
    } catch (error) {
      await withdraw(number);
      throw error;
    }
    recorder.flush();
    return { kind: 'accepted', job: book.find(id)!, isNew: true };
  };

  const submitOnce = (submission: Submission, key: string, request: string): Promise<SubmitAnswer> => {
    const known = book.findKey(key);
    if (known !== null) {
      const job = book.find(String(known.number))!;
      return Promise.resolve(known.request === request ? { kind: 'accepted', job, isNew: false } : { kind: 'conflict', job: job.id });
    }
    const answer = submitNew(submission, key, request).finally(() => pending.delete(key));
    pending.set(key, { request, answer });
    return answer;
  };

  const submit: JobService['submit'] = async (body, key) => {
    if (isClosed) return { kind: 'closed' };
    const submission = readSubmission(body, setup);
    if (E.isLeft(submission)) return { kind: 'refused', problems: submission.left };
    await restored;
    const request = fingerprint(body);
    if (key === null) return submitNew(submission.right, null, request);
    const same = pending.get(key);
    if (same === undefined) return submitOnce(submission.right, key, request);
    if (same.request !== request) return { kind: 'conflict', job: `the one being submitted under ${key}` };
    const answer = await same.answer;
    return answer.kind === 'accepted' ? { ...answer, isNew: false } : answer;
  };

  const restoreOne = async (live: LiveRun, { number, id, work, isAccepted, isCancelled, priority }: OpenJob): Promise<void> => {
    if (work === null) return withdraw(number);
    const written = JSON.parse(work) as LiveJob;
    const taken = await live.submit({ ...written, job: { ...written.job, priority } })();
    if (E.isRight(taken)) {
      if (isCancelled || book.find(id)?.cancelled === true) live.cancel(id);
      return;
    }
    if (taken.left.kind === 'closed') return;
    if (!isAccepted) return withdraw(number);
    const error = whyNot(taken.left);
    options.onNote(`job ${id} cannot go on: ${error}`);
    recorder.onEvent({ kind: 'finished', job: id, outcome: 'failed', iteration: book.find(id)!.iteration, made: book.find(id)!.iteration, heldoutLoss: null, adapterFolder: null, error });
  };

  /** Rows of jobs that have ended since, or never began. */
  const dropOldRows = async (): Promise<void> => {
    const open = new Set(book.open().map(({ number }) => String(number)));
    const names = await readdir(rowsFolder).catch(() => []);
    for (const name of names) if (!open.has(name)) await dropRows(join(rowsFolder, name));
  };

  const restore = async (): Promise<void> => {
    run = await options.run;
    for (const job of book.open()) await restoreOne(run, job);
    recorder.flush();
    await dropOldRows();
  };
  const restored = restore();
  restored.catch((error: unknown) => options.onNote(`jobs cannot be taken up: ${messageOf(error)}`));

  const change = (name: string, apply: (job: ServedJob) => void): ChangeAnswer => {
    recorder.flush();
    const job = book.find(name);
    if (job === null) return { kind: 'unknown' };
    if (hasEnded(job.state)) return { kind: 'ended', job };
    apply(job);
    return { kind: 'done', job: book.find(name)! };
  };

  return {
    submit,
    cancel: (name) =>
      change(name, ({ id, cancelled }) => {
        if (!cancelled) recorder.note({ job: id, kind: 'cancelled', columns: { cancelled: 1 } });
        run?.cancel(id);
      }),
    changePriority: (name, priority) =>
      change(name, ({ id, priority: before }) => {
        if (priority === before) return;
        recorder.note({ job: id, kind: 'priorityChanged', detail: String(priority), columns: { priority } });
        run?.changePriority(id, priority);
      }),
    close: () => (isClosed = true),
  };
};
