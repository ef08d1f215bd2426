import { mkdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { messageOf } from '../core/error-message.ts';
import { writeFileAtomically } from '../exec/checkpoint/write-files.ts';
import { formatExecError } from '../exec/exec-error.ts';
import type { LiveRun } from '../exec/live/live-run.ts';
import { createApp } from './http/app.ts';
import { createEventStreams } from './http/event-stream.ts';
import { pageFiles } from './http/static-files.ts';
import { createJobService } from './job-service.ts';
import { serverPlaces, type Places } from './places.ts';
import { listenToRun, type RunListener } from './run-listener.ts';
import type { ServerError } from './server-error.ts';
import type { ServerOptions } from './server-options.ts';
import { createStatus } from './server-status.ts';
import { createJobBook, type JobBook } from './state/job-book.ts';
import { lockFolder, type FolderLock } from './state/folder-lock.ts';
import { openDatabase, type ServerDatabase } from './state/open-database.ts';
import { openToken } from './token.ts';

export interface Server {
  readonly url: string;
  readonly token: string;
  /** Resolves when the run cannot go on, with the reason. */
  readonly failed: Promise<string>;
  /** Lets jobs leave at their next iteration ends, keeps their checkpoints, and ends everything. */
  readonly close: () => Promise<void>;
}

const IDENTITY = 'experiment';

const identityOf = ({ live, baseIdentity }: ServerOptions): string =>
  `${live.model.name} (${baseIdentity.slice(0, 12)}), ${live.microbatches} microbatches`;

/** Unfinished jobs can only go on in the experiment they began in. */
const checkIdentity = (book: JobBook, options: ServerOptions): ServerError | null => {
  const [before, now] = [book.fact(IDENTITY), identityOf(options)];
  if (before !== null && before !== now && book.unfinished() > 0) return { kind: 'otherModel', folder: options.folder, before, now };
  book.setFact(IDENTITY, now);
  return null;
};

/** Whoever waits for the run learns whether it came up; nobody has to. */
const startRun = (options: ServerOptions, folder: string, { onEvent, recorder }: RunListener): Promise<E.Either<string, LiveRun>> =>
  options
    .startRun({ ...options.live, folder, onEvent, beforeWriting: recorder.flush })()
    .then(E.mapLeft(formatExecError))
    .catch((error: unknown) => E.left(messageOf(error)));

const orThrow = (result: E.Either<string, LiveRun>): LiveRun => {
  if (E.isLeft(result)) throw new Error(result.left);
  return result.right;
};

interface OpenBook {
  readonly database: ServerDatabase;
  readonly book: JobBook;
}

const openBook = (options: ServerOptions, path: string): E.Either<ServerError, OpenBook> => {
  const database = openDatabase(path);
  const book = createJobBook(database);
  const foreign = checkIdentity(book, options);
  if (foreign === null) return E.right({ database, book });
  database.close();
  return E.left(foreign);
};

const listen = async (app: FastifyInstance, { host, port }: ServerOptions): Promise<E.Either<ServerError, string>> => {
  try {
    await app.listen({ host, port });
  } catch (error) {
    return E.left({ kind: 'cannotListen', host, port, reason: messageOf(error) });
  }
  const own = app.server.address() as AddressInfo;
  return E.right(`http://${own.family === 'IPv6' ? `[${own.address}]` : own.address}:${own.port}`);
};

/** Starts a server on its folder: it listens first, so that what was known before can be asked for while the ranks come up. */
export const startServer =
  (options: ServerOptions): TaskEither<ServerError, Server> =>
  async () => {
    let lock: FolderLock | null = null;
    try {
      await mkdir(options.folder, { recursive: true, mode: 0o700 });
      lock = lockFolder(options.folder);
      if (lock === null) return E.left({ kind: 'folderInUse', folder: options.folder });
      const { release } = lock;
      const server = await openServer(options, serverPlaces(options.folder));
      if (E.isLeft(server)) release();
      return E.map((open: Server): Server => ({ ...open, close: () => open.close().finally(release) }))(server);
    } catch (error) {
      lock?.release();
      return E.left({ kind: 'cannotStart', reason: `${options.folder}: ${messageOf(error)}` });
    }
  };

const openServer = async (options: ServerOptions, places: Places): Promise<E.Either<ServerError, Server>> => {
  const token = options.token ?? (await openToken(places.token));
  const opened = openBook(options, places.database);
  if (E.isLeft(opened)) return opened;
  const { database, book } = opened.right;
  const listener = listenToRun(options, places, book);
  let begin: () => void = () => undefined;
  const starting = new Promise<void>((resolve) => (begin = resolve)).then(() => startRun(options, places.run, listener));
  const serving = await openApp(options, places, { token, book, listener, starting });
  const url = await listen(serving.app, options);
  if (E.isLeft(url)) {
    await serving.app.close();
    database.close();
    return url;
  }
  await writeFileAtomically(places.address, [new TextEncoder().encode(`${url.right}\n`)]);
  begin();
  return E.right({
    url: url.right,
    token,
    failed: listener.failed,
    close: async () => {
      await serving.close();
      const started = await starting;
      if (E.isRight(started)) await started.right.close();
      listener.recorder.flush();
      await rm(places.address, { force: true });
      database.close();
    },
  });
};

interface Parts {
  readonly token: string;
  readonly book: JobBook;
  readonly listener: RunListener;
  /** The run, once it is up. */
  readonly starting: Promise<E.Either<string, LiveRun>>;
}

const openApp = async (options: ServerOptions, places: Places, { token, book, listener, starting }: Parts) => {
  const { limits, onNote, version } = options;
  let run: LiveRun | null = null;
  void starting.then((result) => {
    if (E.isRight(result)) run = result.right;
    else listener.fail(result.left);
  });
  const service = createJobService({
    setup: options.setup,
    book,
    recorder: listener.recorder,
    run: starting.then(orThrow),
    rowsFolder: places.rows,
    files: { dataFolder: options.dataFolder, mostBytes: limits.mostFileBytes },
    mostJobs: limits.mostJobs,
    onNote,
  });
  const streams = createEventStreams({ events: book.events, onNews: listener.recorder.onNews }, limits.mostStreams);
  const app = await createApp({
    ...limits,
    token,
    service,
    book,
    streams,
    status: createStatus(options, book, listener.isReady),
    trace: () => run?.trace() ?? null,
    adapterFolder: (id) => join(places.run, 'jobs', id, 'adapter'),
    version,
    pages: options.dashboard === null ? new Map<string, string>() : await pageFiles(options.dashboard),
    onNote,
  });
  return {
    app,
    close: async (): Promise<void> => {
      service.close();
      streams.closeAll();
      await app.close();
    },
  };
};
