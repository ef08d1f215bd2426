import { constants } from 'node:fs';
import { copyFile, mkdir, open, realpath, rm, stat } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { FileData } from '../core/job.ts';
import { problem, show, type Problem, type Problems } from '../core/problem.ts';
import { writeFileAtomically } from '../exec/checkpoint/write-files.ts';
import type { FileProblems } from '../exec/exec-error.ts';
import type { Submission, UploadedRows } from './submission.ts';

/** Where a job's rows come from and where the server keeps them. */
export interface JobFilesOptions {
  /** Files that jobs name are below this folder; null: rows come with requests only. */
  readonly dataFolder: string | null;
  /** Largest file that a job may name. */
  readonly mostBytes: number;
}

const reasonOf = (error: unknown): string => ((error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String((error as NodeJS.ErrnoException).code ?? error));

const isInside = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && resolve(folder, way) === path;
};

/** The real path of a file that a job names. Left: it is not below the data folder, not there, no file or too large. */
const locate = async (name: string, { dataFolder, mostBytes }: JobFilesOptions): Promise<E.Either<string, string>> => {
  if (dataFolder === null) return E.left(`is ${show(name)}; this server takes rows with the request only (data.rows)`);
  try {
    const folder = await realpath(dataFolder);
    const outside = E.left(`is ${show(name)}; expected a file below the server's data folder`);
    // Before anything is asked of the disk, so that nobody learns what lies outside.
    if (!isInside(resolve(dataFolder), resolve(dataFolder, name)) && !isInside(folder, resolve(folder, name))) return outside;
    const path = await realpath(resolve(folder, name));
    if (!isInside(folder, path)) return outside;
    const info = await stat(path);
    if (!info.isFile()) return E.left(`is ${show(name)}, which is no file`);
    return info.size <= mostBytes ? E.right(path) : E.left(`is ${show(name)} with ${info.size} bytes; expected at most ${mostBytes}`);
  } catch (error) {
    return E.left(`is ${show(name)}, which cannot be read: ${reasonOf(error)}`);
  }
};

const flush = async (path: string): Promise<void> => {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
};

function* linesOf(rows: UploadedRows): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const row of rows) yield encoder.encode(`${JSON.stringify(row)}\n`);
}

/**
 * Keeps the rows of a job in a folder of its own until it has finished, so that files may change or go after it was taken,
 * and a restarted job has the same rows. Left: what is wrong with the files it names.
 */
export const keepRows = async ({ job, uploads }: Submission, folder: string, options: JobFilesOptions): Promise<E.Either<Problems, FileData>> => {
  const { train, heldout } = job.data;
  const problems: Problem[] = [];
  const sources = await Promise.all(
    (['train', 'heldout'] as const).map(async (role) => {
      const name = role === 'train' ? train : heldout;
      const rows = uploads[role];
      if (rows !== null || name === null) return rows === null ? null : { role, rows };
      const path = await locate(name, options);
      if (E.isRight(path)) return { role, path: path.right };
      problems.push(problem(`data.${role}`, path.left));
      return null;
    }),
  );
  if (isNonEmpty(problems)) return E.left(problems);
  await mkdir(folder, { recursive: true });
  const kept: Record<string, string> = {};
  for (const source of sources) {
    if (source === null) continue;
    const path = join(folder, `${source.role}${source.path === undefined ? '.jsonl' : extname(source.path)}`);
    if (source.path === undefined) await writeFileAtomically(path, linesOf(source.rows));
    else {
      await copyFile(source.path, path, constants.COPYFILE_FICLONE);
      await flush(path);
    }
    kept[source.role] = path;
  }
  return E.right({ ...job.data, train: kept.train!, heldout: kept.heldout ?? null });
};

export const dropRows = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

/** Problems of kept files as the client knows these: by the key of the request, and by the name that it wrote there. */
export const asRequested = (files: readonly FileProblems[], kept: FileData, { job, uploads }: Submission): Problem[] =>
  files.flatMap(({ file, problems }) => {
    const role = file === kept.train ? 'train' : file === kept.heldout ? 'heldout' : null;
    if (role === null) return problems;
    const key = uploads[role] !== null ? (role === 'train' ? 'rows' : 'heldoutRows') : role;
    const name = uploads[role] === null ? `${job.data[role]!}: ` : '';
    return problems.map(({ path, message }) => problem(`data.${key}`, `${name}${path === '' ? '' : `${path}: `}${message}`));
  });
