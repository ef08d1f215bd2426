import { dirname, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { fillFromDefaults } from '../../core/experiment/job-defaults.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import { problem, show, type Problem } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import { parseRows } from '../../exec/data/raw-rows.ts';
import { readText } from '../../exec/run/open-experiment.ts';
import { badFiles, badInput, type Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

export interface SubmitFlags extends ServerFlags {
  /** Only these jobs of the file, by name; absent: all. */
  readonly job?: readonly string[];
  readonly user?: string;
  readonly priority?: number;
  /** Sends rows along instead of naming files of the server. */
  readonly upload?: true;
}

type Written = Readonly<Record<string, unknown>>;

/** `mlora submit`: hands the jobs of an experiment file to a server, and prints the id of each. */
export const submitCommand = (path: string, flags: SubmitFlags): TE.TaskEither<Failure, void> =>
  pipe(
    readText(path),
    TE.mapLeft(badFiles),
    TE.chainEitherK((text) => pipe(parseYaml(text), E.mapLeft((problems) => badInput(path, problems)))),
    TE.chainEitherK((file) => jobsOf(path, file, flags)),
    TE.chain((jobs) => withServer(flags, (client) => submitAll(jobs, path, flags, (job, name) => pipe(client.submit(job), TE.mapLeft(clientFailure(`${path}: job ${name}`)))))),
  );

type Send = (job: Written, name: string) => TE.TaskEither<Failure, { readonly id: string }>;

const submitAll = (jobs: readonly Written[], path: string, flags: SubmitFlags, send: Send): TE.TaskEither<Failure, void> =>
  pipe(
    jobs,
    TE.traverseSeqArray((job) =>
      pipe(
        withData(job, path, flags),
        TE.chain((ready) => send(ready, String(job.name))),
        TE.chainFirstIOK(({ id }) => () => process.stdout.write(`${id}\n`)),
      ),
    ),
    TE.map(() => undefined),
  );

/** Jobs of an experiment file with its `defaults`, or a file that is a job itself. */
const jobsOf = (path: string, file: unknown, flags: SubmitFlags): E.Either<Failure, readonly Written[]> => {
  if (!isRecord(file)) return E.left(badInput(path, [problem('', `is ${show(file)}; expected an experiment or a job`)]));
  const written: readonly unknown[] = Array.isArray(file.jobs) ? file.jobs : [file];
  const filled = written.map((job) => fillFromDefaults(file.defaults, job));
  const wrong = filled.flatMap((job, index): Problem[] => (isRecord(job) ? [] : [problem(`jobs[${index}]`, `is ${show(job)}; expected the settings of a job`)]));
  const [first, ...others] = wrong;
  if (first !== undefined) return E.left(badInput(path, [first, ...others]));
  return chooseJobs(path, filled as readonly Written[], flags);
};

const chooseJobs = (path: string, jobs: readonly Written[], { job: wanted, user, priority }: SubmitFlags): E.Either<Failure, readonly Written[]> => {
  const [unknown] = (wanted ?? []).filter((name) => jobs.every((job) => job.name !== name));
  if (unknown !== undefined) return E.left(badInput('--job', [problem('', `is ${show(unknown)}; the jobs of ${path} are ${jobs.map(({ name }) => String(name)).join(', ')}`)]));
  const chosen = wanted === undefined ? jobs : jobs.filter(({ name }) => wanted.includes(String(name)));
  const own = { ...(user === undefined ? {} : { user }), ...(priority === undefined ? {} : { priority }) };
  return E.right(chosen.map((job) => ({ ...job, ...own })));
};

/** File names as the server sees them, absolute; or the rows themselves. */
const withData = (job: Written, path: string, { upload }: SubmitFlags): TE.TaskEither<Failure, Written> => {
  const { data } = job;
  if (!isRecord(data)) return TE.right(job);
  const files = Object.entries({ train: 'rows', heldout: 'heldoutRows' }).flatMap(([key, rows]) => {
    const name = data[key];
    return typeof name === 'string' ? [{ key, rows, file: resolve(dirname(path), name) }] : [];
  });
  if (upload === undefined) return TE.right({ ...job, data: { ...data, ...Object.fromEntries(files.map(({ key, file }) => [key, file])) } });
  return pipe(
    files,
    TE.traverseSeqArray(({ rows, file }) => pipe(readRows(file), TE.map((read) => [rows, read] as const))),
    TE.map((read) => {
      const { train: _train, heldout: _heldout, ...others } = data;
      return { ...job, data: { ...others, ...Object.fromEntries(read) } };
    }),
  );
};

const readRows = (file: string): TE.TaskEither<Failure, readonly unknown[]> =>
  pipe(
    TE.tryCatch(
      () => readFile(file),
      (error) => badInput(file, [problem('', `cannot be read: ${String(error)}`)]),
    ),
    TE.chain((bytes) => async () => pipe(await parseRows(file, new Uint8Array(bytes)), E.mapLeft((problems) => badInput(file, problems)))),
    TE.chainEitherK((rows) => {
      const [first, ...others] = rows.flatMap(({ place, fields }) => (E.isLeft(fields) ? [problem(place, fields.left)] : []));
      return first === undefined ? E.right(rows.map(({ fields }) => E.toUnion(fields))) : E.left(badInput(file, [first, ...others]));
    }),
  );
