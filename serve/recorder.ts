import type { LiveEvent } from '../exec/live/live-run.ts';
import type { Change, JobBook } from './state/job-book.ts';

/** Iterations can end every few milliseconds, and every commit waits for the disk. */
const FLUSH_MS = 50;

/** Puts events into the book, some at a time, and says when there is news. */
export interface Recorder {
  readonly onEvent: (event: LiveEvent) => void;
  /** Notes a change at once: it is on the disk when this returns. Throws where it cannot be. */
  readonly note: (change: Omit<Change, 'atMs'>) => void;
  /** Writes what waits; throws where that cannot be. */
  readonly flush: () => void;
  readonly onNews: (listener: () => void) => () => void;
}

/** Of a job: what it changes in the book; none for events of the run as a whole, and for checkpoints. */
const changeOf = (event: LiveEvent): Omit<Change, 'atMs'> | null => {
  switch (event.kind) {
    case 'queued':
      return { job: event.job, kind: 'submitted', columns: { accepted: 1, iteration: event.iteration, iterations: event.iterations } };
    case 'admitted':
      return { job: event.job, kind: 'admitted', columns: { state: 'running' } };
    case 'resumed':
      return { job: event.job, kind: 'resumed', iteration: event.iteration, columns: { state: 'running' } };
    case 'preempted':
      return { job: event.job, kind: 'preempted', iteration: event.iteration, columns: { state: event.paused ? 'paused' : 'waiting' } };
    case 'setBack':
      return { job: event.job, kind: 'setBack', iteration: event.iteration, columns: { state: 'waiting', iteration: event.iteration } };
    case 'iteration':
      return { job: event.job, kind: 'iteration', iteration: event.iteration, loss: event.loss, columns: { iteration: event.iteration, loss: event.loss } };
    case 'evaluated':
      return { job: event.job, kind: 'evaluated', iteration: event.iteration, loss: event.loss, columns: { heldout_loss: event.loss } };
    case 'finished':
      return { job: event.job, kind: 'finished', iteration: event.iteration, detail: event.outcome, columns: { state: event.outcome, iteration: event.iteration, error: event.error, ...heldoutOf(event) } };
    default:
      return null;
  }
};

/** The loss of the adapter itself, where a job had been evaluated again since. */
const heldoutOf = ({ heldoutLoss }: Extract<LiveEvent, { readonly kind: 'finished' }>): Change['columns'] => (heldoutLoss === null ? {} : { heldout_loss: heldoutLoss });

/** When the job first ran, and when it ended. */
const momentOf = ({ kind }: LiveEvent, atMs: number): Change['columns'] =>
  kind === 'admitted' ? { started_ms: atMs } : kind === 'finished' ? { finished_ms: atMs } : {};

export interface RecorderOptions {
  readonly book: JobBook;
  /** Called once the end of a job is on the disk. */
  readonly onEnded: (job: string) => void;
  /** Events cannot be written, e.g. because the disk is full; they wait for the next attempt. */
  readonly onFailure: (error: unknown) => void;
}

export const createRecorder = ({ book, onEnded, onFailure }: RecorderOptions): Recorder => {
  const listeners = new Set<() => void>();
  let waiting: Change[] = [];
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (waiting.length === 0) return;
    const isNews = book.note(waiting);
    const changes = waiting;
    waiting = [];
    if (isNews) for (const listener of listeners) listener();
    for (const { job, kind } of changes) if (kind === 'finished') onEnded(job);
  };

  const flushOrTell = (): void => {
    try {
      flush();
    } catch (error) {
      onFailure(error);
    }
  };

  return {
    onEvent: (event) => {
      const change = changeOf(event);
      if (change === null) return;
      const atMs = Date.now();
      waiting.push({ ...change, atMs, columns: { ...change.columns, ...momentOf(event, atMs) } });
      if (event.kind === 'finished') flushOrTell();
      else timer ??= setTimeout(flushOrTell, FLUSH_MS);
    },
    note: (change) => {
      waiting.push({ ...change, atMs: Date.now() });
      flush();
    },
    flush,
    onNews: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
