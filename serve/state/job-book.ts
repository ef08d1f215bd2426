/**
 * What a server knows of its jobs, in SQLite. A job is there from before its data is read; it is `accepted` once the run
 * has taken it, and only then shown. Events are kept once each, however often the run tells them: after a kill it makes
 * iterations again that are in the book already.
 */
import { ADAPTER_FILES, type ServedEvent, type ServedEventKind, type ServedJob, type ServedLosses, type ServedJobState } from '../../core/served-job.ts';
import { createBookMemory } from './book-memory.ts';
import type { Row, ServerDatabase, Value } from './open-database.ts';

export interface NewJob {
  readonly name: string;
  readonly user: string;
  readonly priority: number;
  /** The client's own name of the request, under which it may ask again; null: it has none. */
  readonly key: string | null;
  /** Fingerprint of what was asked for. */
  readonly request: string;
  readonly atMs: number;
}

/** A job that the run does not know yet: submitted before the server was started anew. */
export interface OpenJob {
  readonly number: number;
  readonly id: string;
  readonly isAccepted: boolean;
  readonly isCancelled: boolean;
  readonly priority: number;
  /** What the run was handed, as JSON; null where the server was killed before that. */
  readonly work: string | null;
}

export interface Change {
  /** Id of the job. */
  readonly job: string;
  readonly kind: ServedEventKind;
  readonly atMs: number;
  readonly iteration?: number;
  readonly loss?: number;
  readonly detail?: string;
  /** Columns of the job that change with it. */
  readonly columns?: Readonly<Record<string, Value>>;
}

export interface ListFilter {
  readonly state: 'all' | 'unfinished' | 'finished';
  readonly limit: number;
  /** Only jobs of smaller numbers; null: from the last one on. */
  readonly before: number | null;
}

export interface EventFilter {
  /** Number of a job; null: of all. */
  readonly job: number | null;
  readonly after: number;
  readonly limit: number;
}

const LONGEST_ID = 64;

const idOf = (number: number, name: string): string => `${number}-${name}`.slice(0, LONGEST_ID).replace(/[^A-Za-z0-9]+$/, '');

const isoOf = (ms: Value): string | null => (typeof ms === 'number' ? new Date(ms).toISOString() : null);
const numberOf = (value: Value | undefined): number | null => (typeof value === 'number' ? value : null);
const textOf = (value: Value | undefined): string | null => (typeof value === 'string' ? value : null);

const asJob = (row: Row): ServedJob => {
  const state = row.state as ServedJobState;
  const cancelled = row.cancelled === 1;
  return {
    id: row.id as string,
    number: row.number as number,
    name: row.name as string,
    user: row.user as string,
    priority: row.priority as number,
    state: cancelled && state === 'running' ? 'leaving' : state,
    iteration: row.iteration as number,
    iterations: numberOf(row.iterations),
    loss: numberOf(row.loss),
    heldoutLoss: numberOf(row.heldout_loss),
    submittedAt: isoOf(row.submitted_ms!)!,
    startedAt: isoOf(row.started_ms!),
    finishedAt: isoOf(row.finished_ms!),
    cancelled,
    error: textOf(row.error),
    adapter: state === 'completed' || state === 'stopped' ? ADAPTER_FILES : [],
  };
};

const asEvent = (row: Row): ServedEvent => ({
  sequence: row.sequence as number,
  at: isoOf(row.at_ms!)!,
  job: row.id as string,
  kind: row.kind as ServedEventKind,
  iteration: numberOf(row.iteration),
  loss: numberOf(row.loss),
  detail: textOf(row.detail),
});

export interface JobBook {
  /** Enters a job and gives it its number and id. */
  readonly enter: (job: NewJob) => { readonly number: number; readonly id: string };
  readonly setWork: (number: number, work: string) => void;
  /** Takes a job out that was not accepted. */
  readonly remove: (number: number) => void;
  readonly findKey: (key: string) => { readonly number: number; readonly request: string } | null;
  /** An accepted job by its number or its id. */
  readonly find: (name: string) => ServedJob | null;
  readonly list: (filter: ListFilter) => readonly ServedJob[];
  readonly counts: () => Readonly<Partial<Record<ServedJobState, number>>>;
  readonly unfinished: () => number;
  /** Jobs that have not ended, in order of submission. */
  readonly open: () => readonly OpenJob[];
  /** Notes what happened, all of it or nothing; true where some of it is news. */
  readonly note: (changes: readonly Change[]) => boolean;
  readonly events: (filter: EventFilter) => readonly ServedEvent[];
  readonly lastEvent: () => number;
  readonly losses: (number: number, points: number) => ServedLosses;
  /** A lasting fact about the whole server. */
  readonly fact: (name: string) => string | null;
  readonly setFact: (name: string, value: string) => void;
}

export const createJobBook = (database: ServerDatabase): JobBook => {
  const { run, all, first } = database;
  const memory = createBookMemory();

  const atomically = <T>(change: () => T): T => {
    try {
      return database.atomically(change);
    } catch (error) {
      memory.forget();
      throw error;
    }
  };

  /** The first start stays; every other column takes its new value. */
  const setter = (name: string): string => (name === 'started_ms' ? 'started_ms = coalesce(started_ms, ?)' : `${name} = ?`);

  const update = (number: number, columns: Readonly<Record<string, Value>>): void => {
    const names = Object.keys(columns);
    if (names.length === 0) return;
    memory.note(number, columns);
    run(`UPDATE jobs SET ${names.map(setter).join(', ')} WHERE number = ?`, ...Object.values(columns), number);
  };

  const noteOne = ({ job, kind, atMs, iteration, loss, detail, columns = {} }: Change): boolean => {
    const row = first('SELECT number FROM jobs WHERE id = ?', job);
    if (row === null) return false;
    const number = row.number as number;
    const sql = 'INSERT OR IGNORE INTO events (at_ms, job, kind, iteration, loss, detail) VALUES (?, ?, ?, ?, ?, ?)';
    const { changes, lastId } = run(sql, atMs, number, kind, iteration ?? null, loss ?? null, detail ?? null);
    if (changes > 0) memory.lastEvent = lastId;
    update(number, columns);
    return changes > 0;
  };

  const curve = (number: number, kind: 'iteration' | 'evaluated', points: number): ServedLosses['training'] => {
    const of = `FROM events WHERE job = ? AND kind = ? AND loss IS NOT NULL`;
    const count = first(`SELECT count(*) AS n ${of}`, number, kind)!.n as number;
    const step = Math.max(1, Math.ceil(count / points));
    const rows = all(`SELECT iteration, loss ${of} AND (iteration % ? = 0 OR iteration = 1) ORDER BY iteration`, number, kind, kind === 'iteration' ? step : 1);
    return rows.map((row) => [row.iteration as number, row.loss as number]);
  };

  run("UPDATE jobs SET state = 'waiting' WHERE finished_ms IS NULL AND state <> 'waiting'");

  return {
    enter: ({ name, user, priority, key, request, atMs }) =>
      atomically(() => {
        const { lastId: number } = run(
          'INSERT INTO jobs (name, user, priority, key, request, submitted_ms) VALUES (?, ?, ?, ?, ?, ?)',
          name, user, priority, key, request, atMs,
        );
        const id = idOf(number, name);
        update(number, { id });
        return { number, id };
      }),
    setWork: (number, work) => update(number, { work }),
    remove: (number) =>
      atomically(() => {
        memory.forget();
        run('DELETE FROM events WHERE job = ?', number);
        run('DELETE FROM jobs WHERE number = ? AND accepted = 0', number);
      }),
    findKey: (key) => {
      const row = first('SELECT number, request FROM jobs WHERE key = ? AND accepted = 1', key);
      return row === null ? null : { number: row.number as number, request: row.request as string };
    },
    find: (name) => {
      const known = memory.row(name);
      if (known !== undefined) return asJob(known);
      const row = /^\d{1,15}$/.test(name)
        ? first('SELECT * FROM jobs WHERE number = ? AND accepted = 1', Number(name))
        : first('SELECT * FROM jobs WHERE id = ? AND accepted = 1', name);
      if (row === null) return null;
      memory.keep(row);
      return asJob(row);
    },
    list: ({ state, limit, before }) => {
      const ended = state === 'all' ? '' : `AND finished_ms IS ${state === 'finished' ? 'NOT ' : ''}NULL`;
      return all(`SELECT * FROM jobs WHERE accepted = 1 ${ended} AND number < ? ORDER BY number DESC LIMIT ?`, before ?? Number.MAX_SAFE_INTEGER, limit).map(asJob);
    },
    counts: () =>
      (memory.counts ??= Object.fromEntries(all('SELECT state, count(*) AS n FROM jobs WHERE accepted = 1 GROUP BY state').map(({ state, n }) => [state, n])) as Partial<Record<ServedJobState, number>>),
    unfinished: () => first('SELECT count(*) AS n FROM jobs WHERE finished_ms IS NULL')!.n as number,
    open: () =>
      all('SELECT number, id, accepted, cancelled, priority, work FROM jobs WHERE finished_ms IS NULL ORDER BY number').map((row) => ({
        number: row.number as number,
        id: row.id as string,
        isAccepted: row.accepted === 1,
        isCancelled: row.cancelled === 1,
        priority: row.priority as number,
        work: textOf(row.work),
      })),
    note: (changes) => atomically(() => changes.map(noteOne).includes(true)),
    events: ({ job, after, limit }) =>
      all(
        `SELECT events.*, jobs.id FROM events JOIN jobs ON jobs.number = events.job
         WHERE sequence > ? ${job === null ? '' : 'AND job = ?'} ORDER BY sequence LIMIT ?`,
        ...(job === null ? [after, limit] : [after, job, limit]),
      ).map(asEvent),
    lastEvent: () => (memory.lastEvent ??= first('SELECT coalesce(max(sequence), 0) AS n FROM events')!.n as number),
    losses: (number, points) => ({ training: curve(number, 'iteration', points), heldout: curve(number, 'evaluated', points) }),
    fact: (name) => textOf(first('SELECT value FROM facts WHERE name = ?', name)?.value),
    setFact: (name, value) => void run('INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value', name, value),
  };
};

