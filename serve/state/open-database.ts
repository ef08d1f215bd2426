import Database from 'libsql';

/** One version after the other; `user_version` says how many a database has been through. Only ever append. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    priority INTEGER NOT NULL,
    key TEXT UNIQUE,
    request TEXT NOT NULL,
    work TEXT,
    accepted INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting',
    iteration INTEGER NOT NULL DEFAULT 0,
    iterations INTEGER,
    loss REAL,
    heldout_loss REAL,
    cancelled INTEGER NOT NULL DEFAULT 0,
    submitted_ms INTEGER NOT NULL,
    started_ms INTEGER,
    finished_ms INTEGER,
    error TEXT
  ) STRICT;
  CREATE INDEX jobs_by_state ON jobs (state);
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    job INTEGER NOT NULL REFERENCES jobs (number),
    kind TEXT NOT NULL,
    iteration INTEGER,
    loss REAL,
    detail TEXT
  ) STRICT;
  CREATE INDEX events_by_job ON events (job, sequence);
  CREATE UNIQUE INDEX measured_once ON events (job, kind, iteration) WHERE loss IS NOT NULL;
  CREATE UNIQUE INDEX once ON events (job, kind) WHERE kind IN ('submitted', 'finished');
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
];

/** Values that pass into and out of statements. */
export type Value = number | string | null;
export type Row = Readonly<Record<string, Value>>;

/** The statements of a server, prepared when they are first used. */
export interface ServerDatabase {
  readonly run: (sql: string, ...values: readonly Value[]) => { readonly changes: number; readonly lastId: number };
  readonly all: (sql: string, ...values: readonly Value[]) => readonly Row[];
  readonly first: (sql: string, ...values: readonly Value[]) => Row | null;
  /** All of it or nothing is in the file when this returns. */
  readonly atomically: <T>(change: () => T) => T;
  readonly close: () => void;
}

type Connection = InstanceType<typeof Database>;

/** The part of the library's statements that is used here. */
interface Statement {
  readonly run: (...values: readonly Value[]) => { readonly changes: number; readonly lastInsertRowid: number | bigint };
  readonly all: (...values: readonly Value[]) => unknown[];
}

const migrate = (database: Connection, path: string): void => {
  const [row] = database.prepare('PRAGMA user_version').all() as readonly { readonly user_version: number }[];
  const version = row!.user_version;
  if (version > MIGRATIONS.length) throw new Error(`${path} was written by a newer version of mlora (schema ${version}, this one knows ${MIGRATIONS.length})`);
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (index >= version) database.exec(`BEGIN; ${migration}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
};

/**
 * Opens the state of a server, or makes it. What a statement has written is on the disk when it returns (write-ahead log,
 * flushed at every commit), so neither a killed process nor a lost machine takes back what a client was told.
 */
export const openDatabase = (path: string): ServerDatabase => {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('busy_timeout = 2000');
  migrate(database, path);
  const statements = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    const known = statements.get(sql) ?? (database.prepare(sql) as Statement);
    statements.set(sql, known);
    return known;
  };
  const all = (sql: string, ...values: readonly Value[]): readonly Row[] => prepare(sql).all(...values) as readonly Row[];
  return {
    run: (sql, ...values) => {
      const { changes, lastInsertRowid } = prepare(sql).run(...values);
      return { changes, lastId: Number(lastInsertRowid) };
    },
    all,
    first: (sql, ...values) => all(sql, ...values)[0] ?? null,
    atomically: (change) => database.transaction(change).immediate(),
    close: () => void database.close(),
  };
};
