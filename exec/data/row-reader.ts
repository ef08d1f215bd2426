import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { problem } from '../../core/problem.ts';
import { readJobRows, type JobRowsOptions } from './job-rows.ts';

/** Reads and encodes rows as `readJobRows` does. */
export type RowReader = typeof readJobRows;

/** Tokenizing takes two seconds a megabyte: larger files are read on a thread. */
const MOST_BYTES_HERE = 64 * 1024;

/** Script that a thread runs; it stands beside this module once that is built. */
const builtEntry = (): string => fileURLToPath(new URL('./rows-worker.js', import.meta.url));

const filesOf = ({ jobs, dataFolder }: JobRowsOptions): readonly string[] =>
  jobs.flatMap(({ data }) => (data.kind === 'files' ? [data.train, ...(data.heldout === null ? [] : [data.heldout])] : [])).map((file) => resolve(dataFolder, file));

/** Files that are not there count nothing: whoever reads them says so. */
const bytesOf = async (options: JobRowsOptions): Promise<number> => {
  const sizes = await Promise.all(filesOf(options).map((file) => stat(file).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
};

const readOnThread = async (entry: string, options: JobRowsOptions): ReturnType<RowReader> => {
  const worker = new Worker(entry, { workerData: options });
  // A server that ends does not wait for rows.
  worker.unref();
  try {
    const [rows] = (await once(worker, 'message')) as [Awaited<ReturnType<RowReader>>];
    return rows;
  } catch (error) {
    // The thread's memory has a bound; that it is reached ends nobody else.
    const message = `cannot be read: ${messageOf(error)}`;
    return E.left(filesOf(options).map((file) => ({ file, problems: [problem('', message)] })));
  } finally {
    await worker.terminate();
  }
};

/** A reader that leaves this thread's loop free while it reads large files, one job after the other. */
export const createRowReader = (entry = builtEntry()): RowReader => {
  let before: Promise<unknown> = Promise.resolve();
  return async (options) => {
    if ((await bytesOf(options)) <= MOST_BYTES_HERE) return readJobRows(options);
    const rows = before.then(() => readOnThread(entry, options));
    before = rows;
    return rows;
  };
};
