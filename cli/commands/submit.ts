import { randomUUID } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { fillFromDefaults } from '../../core/experiment/job-defaults.ts';
import { expandGrids } from '../../core/experiment/job-grid.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import { problem, show, type Problem } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import { parseRows } from '../../exec/data/raw-rows.ts';
import { readText } from '../../exec/run/open-experiment.ts';
import { valueText } from '../../experiments/sweep/sweep.ts';
import type { Client } from '../../serve/client.ts';
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

/** A job that is to be sent. */
interface Sent {
  readonly job: Written;
  /** As in the file; of a trial, that of its template. */
  readonly template: string;
  /** Values of its grid, for people; empty where it has none. */
  readonly values: string;
}

/** `mlora submit`: hands the jobs of an experiment file to a server, and prints the id of each. */
export const submitCommand = (path: string, flags: SubmitFlags): TE.TaskEither<Failure, void> =>
  pipe(
    readText(path),
    TE.mapLeft(badFiles),
    TE.chainEitherK((text) => pipe(parseYaml(text), E.mapLeft((problems) => badInput(path, problems)))),
    TE.chainEitherK((file) => jobsOf(path, file, flags)),
    TE.chain((jobs) => withServer(flags, (client) => submitAll(jobs, { path, flags, client }))),
  );

interface Submitting {
  readonly path: string;
  readonly flags: SubmitFlags;
  readonly client: Client;
}

const sweepOf = ({ halving }: Written): string | null => (isRecord(halving) && typeof halving.name === 'string' ? halving.name : null);

/** One after the other; what was taken before one is refused stays, but for the trials of its sweep, which would wait for it. */
const submitAll =
  (jobs: readonly Sent[], submitting: Submitting): TE.TaskEither<Failure, void> =>
  async () => {
    const taken: { readonly id: string; readonly sweep: string | null }[] = [];
    for (const { job, values } of jobs) {
      const sweep = sweepOf(job);
      const sent = await submitOne(job, submitting)();
      if (E.isLeft(sent)) {
        await cancelAll(taken.filter((each) => sweep !== null && each.sweep === sweep).map(({ id }) => id), submitting.client);
        return sent;
      }
      const { id } = sent.right;
      taken.push({ id, sweep });
      process.stdout.write(values === '' ? `${id}\n` : `${id}  ${values}\n`);
    }
    return E.right(undefined);
  };

const submitOne = (job: Written, { path, flags, client }: Submitting): TE.TaskEither<Failure, { readonly id: string }> =>
  pipe(
    withData(job, path, flags),
    TE.chain((ready) => pipe(client.submit(ready), TE.mapLeft(clientFailure(`${path}: job ${String(job.name)}`)))),
  );

const cancelAll = async (ids: readonly string[], client: Client): Promise<void> => {
  for (const id of ids) {
    const cancelled = await client.cancel(id)();
    process.stderr.write(E.isRight(cancelled) ? `${id} is cancelled: its sweep is not complete\n` : `${id} waits for the rest of its sweep; cancel it\n`);
  }
};

/** Jobs of an experiment file with its `defaults`, trials in the place of grids, or a file that is a job itself. */
const jobsOf = (path: string, file: unknown, flags: SubmitFlags): E.Either<Failure, readonly Sent[]> => {
  if (!isRecord(file)) return E.left(badInput(path, [problem('', `is ${show(file)}; expected an experiment or a job`)]));
  const written: readonly unknown[] = Array.isArray(file.jobs) ? file.jobs : [file];
  const { jobs, problems } = expandGrids(written, file.defaults);
  const wrong = written.flatMap((job, index): Problem[] => (isRecord(job) ? [] : [problem(`jobs[${index}]`, `is ${show(job)}; expected the settings of a job`)]));
  const [first, ...others] = [...wrong, ...problems];
  if (first !== undefined) return E.left(badInput(path, [first, ...others]));
  const sent = jobs.map(({ value, index, choices }): Sent => ({
    job: fillFromDefaults(file.defaults, value) as Written,
    template: String((written[index] as Written).name),
    values: choices.map(({ path: at, value: chosen }) => `${at} = ${valueText(chosen)}`).join(', '),
  }));
  return pipe(chooseJobs(path, sent, flags), E.map(asOwnSweeps));
};

const chooseJobs = (path: string, jobs: readonly Sent[], { job: wanted, user, priority }: SubmitFlags): E.Either<Failure, readonly Sent[]> => {
  const namesOf = ({ job, template }: Sent): readonly string[] => [String(job.name), template];
  const [unknown] = (wanted ?? []).filter((name) => jobs.every((job) => !namesOf(job).includes(name)));
  if (unknown !== undefined) return E.left(badInput('--job', [problem('', `is ${show(unknown)}; the jobs of ${path} are ${[...new Set(jobs.map(({ template }) => template))].join(', ')}`)]));
  const chosen = wanted === undefined ? jobs : jobs.filter((job) => namesOf(job).some((name) => wanted.includes(name)));
  const own = { ...(user === undefined ? {} : { user }), ...(priority === undefined ? {} : { priority }) };
  return E.right(chosen.map(({ job, ...others }) => ({ ...others, job: { ...job, ...own } })));
};

const LONGEST_NAME = 100;

/** Sweeps of the server that no other submission shares, of as many trials as are sent. */
const asOwnSweeps = (jobs: readonly Sent[]): readonly Sent[] => {
  const suffix = `-${randomUUID().slice(0, 8)}`;
  const trials = (sweep: string): number => jobs.filter(({ job }) => sweepOf(job) === sweep).length;
  return jobs.map(({ job, ...others }) => {
    const sweep = sweepOf(job);
    if (sweep === null) return { ...others, job };
    const halving = { ...(job.halving as Written), name: `${sweep.slice(0, LONGEST_NAME - suffix.length)}${suffix}`, trials: trials(sweep) };
    return { ...others, job: { ...job, halving } };
  });
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
