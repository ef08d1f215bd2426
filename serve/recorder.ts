import type { LiveEvent } from '../exec/live/live-run.ts';
import type { Change, JobBook } from './state/job-book.ts';

/** Iterations can end every few milliseconds, and every commit waits for the disk. */
const FLUSH_MS = 50;

/** Puts events into the book, some at a time, and says when there is news. */
export interface Recorder {
  readonly onEvent: (event: LiveEvent) => void;
  /** Notes a change at once: it is on the disk when this returns. */
  readonly note: (change: Omit<Change, 'atMs'>) => void;
  /** Writes what waits. */
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
      return { job: event.job, kind: 'finished', iteration: event.iteration, detail: event.outcome, columns: { state: event.outcome, iteration: event.iteration, error: event.error } };
    default:
      return null;
  }
};

/** When the job first ran, and when it ended. */
const momentOf = ({ kind }: LiveEvent, atMs: number): Change['columns'] =>
  kind === 'admitted' ? { started_ms: atMs } : kind === 'finished' ? { finished_ms: atMs } : {};

export const createRecorder = (book: JobBook, now: () => number = Date.now): Recorder => {
  const listeners = new Set<() => void>();
  let waiting: Change[] = [];
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (waiting.length === 0) return;
    const changes = waiting;
    waiting = [];
    if (book.note(changes)) for (const listener of listeners) listener();
  };

  return {
    onEvent: (event) => {
      const change = changeOf(event);
      if (change === null) return;
      const atMs = now();
      waiting.push({ ...change, atMs, columns: { ...change.columns, ...momentOf(event, atMs) } });
      if (event.kind === 'finished') flush();
      else timer ??= setTimeout(flush, FLUSH_MS);
    },
    note: (change) => {
      waiting.push({ ...change, atMs: now() });
      flush();
    },
    flush,
    onNews: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};
